import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { LocalKafka } from "#dev/kafka.ts";
import type { GroupMember, GroupView } from "#runtime/group/group.ts";
import { createMember } from "#runtime/group/member.ts";
import type { MemberOptions } from "#runtime/group/member-options.ts";
import { toKeys } from "#runtime/group/work.ts";
import { createGroupClient, type GroupClient } from "#runtime/kafka/group-client.ts";
import { eventually } from "#support/eventually.ts";
import { ownKafka, uniqueName } from "#support/kafka.ts";
import { FakeNetwork } from "./fake-network.ts";
import { silent } from "./silent-logger.ts";
import { ConfigTopic, RunningWork, WorkerDouble } from "./worker-double.ts";

let kafka: LocalKafka;

/** With these, what is seen within `PROMPT_MS` did not wait for a heartbeat, nor for the end of a session. */
const SLOW_HEARTBEATS = { sessionTimeoutMs: 180_000, heartbeatIntervalMs: 20_000 };
const PROMPT_MS = 15_000;

/** A group of members on a real Kafka, with workers that only keep account. */
class TestGroup {
  readonly topic = new ConfigTopic();
  readonly running = new RunningWork();
  readonly network = new FakeNetwork();
  readonly groupId = uniqueName("group");
  readonly nodes: Node[] = [];

  start(name: string, overrides: Partial<MemberOptions> & { sessionTimeoutMs?: number } = {}): Node {
    const sessionTimeoutMs = overrides.sessionTimeoutMs ?? 60_000;
    const url = `http://${name}:8083/`;
    const client = crashable(
      createGroupClient({
        settings: {
          brokers: [kafka.bootstrap],
          clientId: name,
          tls: null,
          sasl: null,
          connectionTimeoutMs: 2_000,
          requestTimeoutMs: 40_000,
          retryBackoffMs: 50,
          retryBackoffMaxMs: 500,
        },
        groupId: this.groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs: 60_000,
        answerTimeoutMs: 10_000,
        log: silent,
      }),
    );
    const worker = new WorkerDouble(name, this.topic, this.running);
    const member = createMember({
      groupId: this.groupId,
      url,
      client,
      host: worker,
      protocol: "sessioned",
      sessionTimeoutMs,
      heartbeatIntervalMs: 3_000,
      maxDelayMs: 0,
      rebalanceTimeoutMs: 60_000,
      unsyncBackoffMs: 300_000,
      syncTimeoutMs: 10_000,
      log: silent,
      transport: this.network.transport(),
      ...overrides,
    });
    this.network.register(url, member);
    const stop = new AbortController();
    const node: Node = { name, url, member, worker, client, stop, ended: member.run(stop.signal) };
    this.nodes.push(node);
    return node;
  }

  /** Everything configured runs, evenly over these workers, and each of them knows it. */
  async balancedOver(nodes: readonly Node[]): Promise<void> {
    const wanted = toKeys(this.topic.end).toSorted();
    await eventually(`balance over ${nodes.map((node) => node.name)}`, () => {
      const running = nodes.flatMap((node) => this.running.of(node.name)).toSorted();
      const loads = nodes.map((node) => node.worker.work.tasks.length);
      const even = Math.max(...loads) - Math.min(...loads) <= 1;
      return even && String(running) === String(wanted) && nodes.every((node) => isSettled(node.member.view(), nodes));
    });
    assert.deepEqual(this.running.violations, []);
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.stop.abort();
    await Promise.all(this.nodes.map((node) => node.ended));
    for (const node of this.nodes) node.client.close();
  }
}

interface Node {
  readonly name: string;
  readonly url: string;
  readonly member: GroupMember;
  readonly worker: WorkerDouble;
  readonly client: Crashable;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

interface Crashable extends GroupClient {
  /** As kill -9 would: nothing is sent any more, nothing is answered. */
  crash(): void;
}

function crashable(client: GroupClient): Crashable {
  let crashed = false;
  const never = <T>(signal: AbortSignal): Promise<T> => {
    const { promise, reject } = Promise.withResolvers<T>();
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    return promise;
  };
  return {
    join: (request, signal) => (crashed ? never(signal) : client.join(request, signal)),
    sync: (request, signal) => (crashed ? never(signal) : client.sync(request, signal)),
    heartbeat: (identity, signal) => (crashed ? never(signal) : client.heartbeat(identity, signal)),
    leave: async (memberId, signal) => (crashed ? { kind: "left" } : client.leave(memberId, signal)),
    members: (signal) => client.members(signal),
    close: () => client.close(),
    crash() {
      crashed = true;
      client.close();
    },
  };
}

function isSettled(view: GroupView, nodes: readonly Node[]): boolean {
  return !view.rebalancing && view.balanced && view.members.length === nodes.length;
}

function leaderOf(nodes: readonly Node[]): Node {
  return nodes.find((node) => node.member.view().isLeader) ?? assert.fail("no leader");
}

describe("group member on Kafka", { timeout: 560_000 }, () => {
  before(async () => {
    kafka = await ownKafka({ heap: "384m" });
  });
  after(async () => {
    await kafka.stop();
  });

  async function withGroup(use: (group: TestGroup) => Promise<void>): Promise<void> {
    const group = new TestGroup();
    try {
      await use(group);
    } finally {
      await group.close();
    }
  }

  it("forms a group of three, follows changes of the configuration, and shrinks when one leaves", () =>
    withGroup(async (group) => {
      group.topic.write(6, 2);
      const nodes = ["a", "b", "c"].map((name) => group.start(name, SLOW_HEARTBEATS));
      await group.balancedOver(nodes);
      group.topic.write(9, 2);
      for (const node of nodes) {
        node.worker.read();
        node.member.requestRejoin("new connectors");
      }
      await group.balancedOver(nodes);
      const [first, ...others] = nodes;
      const started = performance.now();
      first?.stop.abort();
      await first?.ended;
      for (const key of group.running.of("a")) group.running.stop("a", key);
      await group.balancedOver(others);
      const tookMs = performance.now() - started;
      assert.ok(tookMs < PROMPT_MS, `took ${tookMs} ms`);
    }));

  it("gives a newcomer its share without waiting for heartbeats", () =>
    withGroup(async (group) => {
      group.topic.write(4, 2);
      const a = group.start("a", SLOW_HEARTBEATS);
      await group.balancedOver([a]);
      const started = performance.now();
      const b = group.start("b", SLOW_HEARTBEATS);
      await group.balancedOver([a, b]);
      const tookMs = performance.now() - started;
      assert.ok(tookMs < PROMPT_MS, `took ${tookMs} ms`);
    }));

  for (const victim of ["leader", "follower"] as const) {
    it(`notices a dead ${victim} long before its session ends and shares its work out`, () =>
      withGroup(async (group) => {
        group.topic.write(6, 2);
        const nodes = ["a", "b", "c"].map((name) => group.start(name, SLOW_HEARTBEATS));
        await group.balancedOver(nodes);
        await eventually("everybody has been probed", () => group.network.requests.length > 30);
        const leader = leaderOf(nodes);
        const dead = victim === "leader" ? leader : (nodes.find((node) => node !== leader) ?? assert.fail());
        const started = performance.now();
        dead.client.crash();
        group.network.fail(dead.url, "refused");
        for (const key of group.running.of(dead.name)) group.running.stop(dead.name, key);
        await group.balancedOver(nodes.filter((node) => node !== dead));
        const tookMs = performance.now() - started;
        assert.ok(tookMs < PROMPT_MS, `took ${tookMs} ms`);
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

  it("keeps its work while the coordinator is away as long as the lease holds, and stops everything when it does not", () =>
    withGroup(async (group) => {
      group.topic.write(6, 2);
      const nodes = ["a", "b"].map((name) => group.start(name, { sessionTimeoutMs: 180_000 }));
      const brief = new TestGroup();
      brief.topic.write(4);
      const hasty = brief.start("hasty", { sessionTimeoutMs: 6_000 });
      try {
        await group.balancedOver(nodes);
        await brief.balancedOver([hasty]);
        const before = nodes.map((node) => group.running.of(node.name));
        await kafka.kill();
        await eventually(
          "the short lease is lost, and everything stopped",
          () => hasty.worker.losses.length > 0 && brief.running.all.length === 0,
        );
        const away = performance.now();
        await eventually("Kafka has been away for 20 s", () => performance.now() - away > 14_000);
        kafka = await kafka.restart();
        await brief.balancedOver([hasty]);
        await group.balancedOver(nodes);
        assert.deepEqual(
          nodes.map((node) => node.worker.losses),
          [[], []],
        );
        assert.deepEqual(
          nodes.map((node) => group.running.of(node.name)),
          before,
        );
      } finally {
        await brief.close();
      }
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
