import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { toKeys } from "#runtime/group/work.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka } from "#support/kafka.ts";
import { KafkaGroup, type Node } from "./kafka-group.ts";

/** With these, what happens within the minute that `eventually` waits has waited for no heartbeat, nor for the end of a session. */
const SLOW_HEARTBEATS = { sessionTimeoutMs: 900_000, heartbeatIntervalMs: 300_000 };

function leaderOf(nodes: readonly Node[]): Node {
  return nodes.find((node) => node.member.view().isLeader) ?? assert.fail("no leader");
}

describe("group member on Kafka", { timeout: 560_000 }, () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  before(async () => {
    kafka = await sharedKafka();
  });
  after(() => kafka.stop());

  async function withGroup(use: (group: KafkaGroup) => Promise<void>): Promise<void> {
    const group = new KafkaGroup(kafka.bootstrap);
    try {
      await use(group);
    } finally {
      await group.close();
    }
  }

  it("forms a group of three, follows changes of the configuration, and shrinks when one leaves", () =>
    withGroup(async (group) => {
      group.topic.write(6, 2);
      const nodes = await group.startInTurn(["a", "b", "c"], SLOW_HEARTBEATS);
      group.topic.write(9, 2);
      for (const node of nodes) {
        node.worker.read();
        node.member.requestRejoin("new connectors");
      }
      await group.balancedOver(nodes);
      const [first, ...others] = nodes;
      first?.stop.abort();
      await first?.ended;
      for (const key of group.running.of("a")) group.running.stop("a", key);
      await group.balancedOver(others);
    }));

  it("gives a newcomer its share without waiting for heartbeats", () =>
    withGroup(async (group) => {
      group.topic.write(4, 2);
      await group.startInTurn(["a", "b"], SLOW_HEARTBEATS);
    }));

  for (const victim of ["leader", "follower"] as const) {
    it(`notices a dead ${victim} long before its session ends and shares its work out`, () =>
      withGroup(async (group) => {
        group.topic.write(6, 2);
        const nodes = await group.startInTurn(["a", "b", "c"], SLOW_HEARTBEATS);
        await eventually("everybody has been probed", () => group.network.requests.length > 30);
        const leader = leaderOf(nodes);
        const dead = victim === "leader" ? leader : (nodes.find((node) => node !== leader) ?? assert.fail());
        dead.client.crash();
        group.network.fail(dead.url, "refused");
        for (const key of group.running.of(dead.name)) group.running.stop(dead.name, key);
        await group.balancedOver(nodes.filter((node) => node !== dead));
      }));
  }

  it("drains: the work moves first, then the member leaves", () =>
    withGroup(async (group) => {
      group.topic.write(6, 2);
      const nodes = ["a", "b", "c"].map((name) => group.start(name));
      await group.balancedOver(nodes);
      const leaving = leaderOf(nodes);
      const others = nodes.filter((node) => node !== leaving);
      await leaving.member.drain(AbortSignal.timeout(60_000));
      assert.deepEqual(group.running.of(leaving.name), []);
      leaving.stop.abort();
      await leaving.ended;
      await group.balancedOver(others);
      const [sole, last] = others;
      await last?.member.drain(AbortSignal.timeout(60_000));
      last?.stop.abort();
      await last?.ended;
      const alone = sole ?? assert.fail();
      await group.balancedOver([alone]);
      await assert.rejects(alone.member.drain(AbortSignal.timeout(60_000)), { code: "unavailable" });
      assert.equal(group.running.of(alone.name).length, toKeys(group.topic.end).length);
    }));

  it("brings a leader that is behind up to date before it assigns", () =>
    withGroup(async (group) => {
      group.topic.write(2);
      const a = group.start("a");
      await group.balancedOver([a]);
      a.worker.onRefresh = async () => {
        throw new Error("the topic cannot be read now");
      };
      group.topic.write(4);
      const b = group.start("b");
      await eventually("the mismatch is told", () => b.worker.rounds.some((round) => round.configMismatch));
      assert.deepEqual(group.running.of("b"), []);
      a.worker.onRefresh = async () => a.worker.read();
      await group.balancedOver([a, b]);
    }));

  it("stops everything and comes back empty when it is evicted", () =>
    withGroup(async (group) => {
      group.topic.write(6, 2);
      const nodes = ["a", "b"].map((name) => group.start(name));
      await group.balancedOver(nodes);
      const [a, b] = nodes;
      const memberId = b?.member.view().memberId ?? "";
      await a?.member.evict(memberId, AbortSignal.timeout(60_000));
      await eventually("the loss is noticed", () => b?.worker.losses.length === 1);
      await group.balancedOver(nodes);
      assert.notEqual(b?.member.view().memberId, memberId);
    }));
});
