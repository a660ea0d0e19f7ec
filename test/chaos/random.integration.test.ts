import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { allMove, type ChaosCluster, openChaosCluster } from "#support/chaos-cluster.ts";
import { eventually } from "#support/eventually.ts";
import { numbersIn } from "#support/numbered-lines.ts";
import { rest, type TestWorker } from "#support/worker.ts";

const PAIRS = 3;
const CHAOS_MS = 25_000;

/** Everything at once, by a random sequence that is the same each time: signals, REST commands, a broker that stands still. */
describe("chaos", () => {
  const random = createRandom(20_240_601);
  const frozen = new Set<TestWorker>();
  let cluster: ChaosCluster;

  before(async () => {
    cluster = await openChaosCluster({ group: "chaos", workers: 3, pairs: PAIRS });
  });
  after(() => cluster?.close());

  const pick = <T>(choices: readonly T[]): T => {
    const choice = choices[Math.floor(random() * choices.length)];
    assert.ok(choice !== undefined);
    return choice;
  };

  const freeze = async (signal: (name: NodeJS.Signals) => void, ms: number) => {
    signal("SIGSTOP");
    await sleep(ms);
    signal("SIGCONT");
  };
  const replace = async (victim: TestWorker, end: () => Promise<unknown>) => {
    cluster.forget(victim);
    await end();
    await cluster.add();
  };
  const attacks: readonly ((victim: TestWorker) => Promise<void>)[] = [
    (victim) => replace(victim, () => victim.process.kill()),
    (victim) => replace(victim, () => victim.process.killGroup()),
    async (victim) => {
      const end = async () => assert.deepEqual(await victim.process.stop(90_000), { code: 0, signal: null });
      await replace(victim, end);
    },
    async (victim) => {
      frozen.add(victim);
      await freeze((name) => process.kill(-victim.process.pid, name), 3_000);
      frozen.delete(victim);
    },
    async ({ process: { pid } }) => {
      const executors = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
      if (executors !== "") process.kill(Number(pick(executors.split(" "))), "SIGKILL");
    },
    () => freeze(cluster.kafka.process.signal, 3_000),
  ];

  /** One command at any worker. What is refused is refused: only the end counts. */
  async function command(extra: number): Promise<void> {
    const { url } = pick(cluster.workers.filter((worker) => !frozen.has(worker)));
    const name = `${pick(["source", "sink"])}-${Math.floor(random() * PAIRS)}`;
    const path = `/connectors/${name}`;
    const temporary = { "connector.class": "datagen", topic: "temporary", "rate.per.second": "5" };
    const commands = [
      () => rest(url, "PUT", `${path}/config`, { ...cluster.config(name), revision: String(random()) }),
      () => rest(url, "PUT", `${path}/pause`),
      () => rest(url, "PUT", `${path}/resume`),
      () => rest(url, "PUT", `${path}/stop`),
      () => rest(url, "POST", `${path}/restart`),
      () => rest(url, "POST", `${path}/tasks/0/restart`),
      () => rest(url, "POST", "/connectors", { name: `temporary-${extra % 2}`, config: temporary }),
      () => rest(url, "DELETE", `/connectors/temporary-${extra % 2}`),
    ];
    await pick(commands)().catch(() => null); // The worker was killed meanwhile.
  }

  /** Repeats a request, at whichever worker, until it is answered by one of these. */
  const insist = (method: string, path: string, wanted: readonly number[]) =>
    eventually(`${method} ${path}`, async () => wanted.includes((await rest(anyUrl(), method, path)).status), 120_000);
  const anyUrl = () => pick(cluster.workers).url;

  it("ends with everything running, every status true, and no line lost", async () => {
    const deadlineMs = performance.now() + CHAOS_MS;
    const commanding = (async () => {
      for (let count = 0; performance.now() < deadlineMs; count += 1) {
        await command(count);
        await sleep(random() * 400);
      }
    })();
    while (performance.now() < deadlineMs) {
      await pick(attacks)(pick(cluster.workers));
      await sleep(random() * 3_000);
    }
    await commanding;

    for (const extra of [0, 1]) await insist("DELETE", `/connectors/temporary-${extra}`, [204, 404]);
    for (let pair = 0; pair < PAIRS; pair += 1) {
      for (const name of [`source-${pair}`, `sink-${pair}`]) {
        // Executors that are killed time and again are given up, until somebody restarts them.
        await insist("PUT", `/connectors/${name}/stop`, [204]);
        await insist("PUT", `/connectors/${name}/resume`, [202]);
      }
    }
    await cluster.settled(180_000);
    await allMove(cluster, PAIRS);
    await cluster.verify();
  });

  it("repeats nothing after SIGTERM of all workers at once", async () => {
    const outputs = Array.from({ length: PAIRS }, (_, pair) => cluster.config(`sink-${pair}`)["file"] ?? "");
    const ends = await Promise.all(
      cluster.workers.map(async (worker) => {
        cluster.forget(worker);
        return await worker.process.stop(90_000);
      }),
    );
    assert.deepEqual(ends, Array(ends.length).fill({ code: 0, signal: null }));
    const written = outputs.map((file) => numbersIn(file).length);
    await Promise.all([cluster.add(), cluster.add()]);
    await cluster.settled();
    // A source that began too early would produce its lines before this pair's records.
    const { url } = pick(cluster.workers);
    for (const state of ["pause", "resume"]) await rest(url, "PUT", `/connectors/source-0/${state}`);
    await cluster.settled();
    assert.deepEqual(
      outputs.map((file) => numbersIn(file).length),
      written,
    );
  });
});

/** Numbers in [0, 1) that are the same for each seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
