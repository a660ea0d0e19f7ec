import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { allMove, type ChaosCluster, openChaosCluster } from "#support/chaos-cluster.ts";
import { eventually } from "#support/eventually.ts";

const PAIRS = 3;
/** The least that a broker takes by default. */
const SESSION_MS = 6_000;
const FROZEN_MS = SESSION_MS + 5_000;

/** Workers that stand still for longer than their session: the group gives their work away, and they must not act on old knowledge. */
describe("a frozen worker", () => {
  let cluster: ChaosCluster;

  before(async () => {
    cluster = await openChaosCluster({
      group: "frozen",
      workers: 3,
      pairs: PAIRS,
      properties: { "session.timeout.ms": String(SESSION_MS), "heartbeat.interval.ms": "2000" },
    });
    await allMove(cluster, PAIRS);
  });
  after(() => cluster?.close());

  for (const [what, whole] of [
    ["its process alone", false],
    ["with its executors", true],
  ] as const) {
    it(`${what}: its work goes on elsewhere, and it comes back for new work`, async () => {
      const victim = await cluster.ownerOf("source-0");
      const { pid } = victim.process;
      const executors = childrenOf(pid);
      process.kill(whole ? -pid : pid, "SIGSTOP");
      const sinceMs = performance.now();
      const isMoved = async () => (await cluster.ownerOf("source-0", victim)) !== victim;
      // Their lease is over, and with it their right to act; what they did meanwhile is looked at below.
      if (!whole) await eventually("the executors have ended", () => haveEnded(executors));
      await sleep(Math.max(0, sinceMs + FROZEN_MS - performance.now()));
      await eventually("its work goes on elsewhere", isMoved);
      process.kill(whole ? -pid : pid, "SIGCONT");
      await cluster.settled();
      assert.ok(victim.process.running());
      await allMove(cluster, PAIRS);
    });
  }

  it("has not the last word about what runs elsewhere, for those who read the status topic themselves", async () => {
    await eventually("the last words are what the workers tell", async () => {
      const [words, told] = [await cluster.lastWords(), await cluster.toldStatuses()];
      assert.equal(told.size, 4 * PAIRS);
      assert.deepEqual(new Map([...words].sort()), new Map([...told].sort()));
      return [...words.values()].every((word) => word.startsWith("RUNNING "));
    });
  });

  it("has lost nothing, run nothing twice at a time, and taken no stored offset back", async () => {
    for (const { topic } of await cluster.verify({ lateWrites: 1 })) {
      // What a whole worker had handed to its connections when it was frozen arrives when it wakes, before it can look at its lease.
      assert.ok(
        topic.repeats.length <= 3,
        `one new start per freeze, and what was under way: ${topic.repeats.join(", ")}`,
      );
    }
    assert.deepEqual(await cluster.offsetsGoneBack(), []);
  });
});

/** A worker's executors; one of them may only answer questions. */
function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

/** Whether all have ended but for one, which has no tasks and needs no lease. */
function haveEnded(pids: readonly number[]): boolean {
  const isAlive = (pid: number) => !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  return pids.filter(isAlive).length <= 1;
}
