import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Assignment, GroupMember } from "#runtime/group/group.ts";
import { createMember } from "#runtime/group/member.ts";
import type { MemberOptions } from "#runtime/group/member-options.ts";
import { encodeAssignment, encodeMetadata } from "#runtime/group/protocol.ts";
import { NO_WORK, toKeys } from "#runtime/group/work.ts";
import type { GroupClient } from "#runtime/kafka/group-client.ts";
import { createStages } from "#runtime/stages.ts";
import { FakeClock, settle } from "./fake-clock.ts";
import { FakeCoordinator } from "./fake-coordinator.ts";
import { FakeNetwork } from "./fake-network.ts";
import { silent } from "./silent-logger.ts";
import { ConfigTopic, RunningWork, WorkerDouble } from "./worker-double.ts";

const SESSION_MS = 10_000;
const LEASE_MS = 9_000;
const HEARTBEAT_MS = 3_000;

class Scene {
  readonly clock = new FakeClock();
  readonly coordinator = new FakeCoordinator();
  readonly network = new FakeNetwork();
  readonly topic = new ConfigTopic();
  readonly running = new RunningWork();
  readonly #stops: { stop: AbortController; ended: Promise<void> }[] = [];

  async start(name: string, overrides: Partial<MemberOptions> = {}): Promise<Actor> {
    const worker = new WorkerDouble(name, this.topic, this.running);
    const url = `http://${name}:8083/`;
    const member = createMember({
      groupId: "group",
      url,
      client: this.coordinator.client(),
      host: worker,
      protocol: "sessioned",
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: HEARTBEAT_MS,
      maxDelayMs: 0,
      rebalanceTimeoutMs: 60_000,
      unsyncBackoffMs: 300_000,
      syncTimeoutMs: 20,
      log: silent,
      clock: this.clock,
      transport: this.network.transport(),
      ...overrides,
    });
    this.network.register(url, member);
    const stop = new AbortController();
    const ended = member.run(stop.signal);
    this.#stops.push({ stop, ended });
    await this.clock.advance(100);
    return { worker, member, stop, ended };
  }

  async end(): Promise<void> {
    for (const { stop } of this.#stops) stop.abort();
    await Promise.all(this.#stops.map(({ ended }) => ended));
    assert.deepEqual(this.running.violations, []);
  }
}

interface Actor {
  readonly worker: WorkerDouble;
  readonly member: GroupMember;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

async function scene(use: (scene: Scene) => Promise<void>): Promise<void> {
  const made = new Scene();
  made.topic.write(4);
  try {
    await use(made);
  } finally {
    await made.end();
  }
}

/** Something that happens when the test says so. */
function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: () => resolve(), opened: promise };
}

const keysOf = (work: Assignment | undefined) => toKeys(work ?? NO_WORK);

describe("member alone", () => {
  it("leads, gets everything and says so", () =>
    scene(async (group) => {
      const { worker, member } = await group.start("a");
      assert.deepEqual(keysOf(worker.work), keysOf(group.topic.end));
      const view = member.view();
      assert.deepEqual(
        [view.memberId, view.generation, view.isLeader, view.leaderUrl, view.protocolVersion],
        ["m1", 1, true, "http://a:8083/", 2],
      );
      assert.deepEqual([view.rebalancing, view.balanced, view.delayMs], [false, true, 0]);
      assert.deepEqual(
        view.members.map((each) => [each.memberId, each.url, keysOf(each.assignment).length]),
        [["m1", "http://a:8083/", 8]],
      );
    }));

  it("claims nothing at its first join, and its work at the next", () =>
    scene(async (group) => {
      const { member } = await group.start("a");
      assert.equal(group.coordinator.joins[0]?.metadata.allocation, null);
      member.requestRejoin("test");
      await group.clock.advance(100);
      const claimed = group.coordinator.joins[1]?.metadata.allocation?.assigned;
      assert.deepEqual(keysOf(claimed), keysOf(group.topic.end));
    }));

  it("makes one round of several requests", () =>
    scene(async (group) => {
      const { member } = await group.start("a");
      for (const reason of ["one", "two", "three"]) member.requestRejoin(reason);
      assert.equal(member.view().rebalancing, true);
      await group.clock.advance(1_000);
      assert.equal(group.coordinator.generation, 2);
    }));

  it("leaves the group when it ends", () =>
    scene(async (group) => {
      const { member, stop, ended } = await group.start("a");
      stop.abort();
      await ended;
      assert.deepEqual(group.coordinator.left, ["m1"]);
      assert.equal(member.view().memberId, "");
    }));

  it("leaves the group also when it ends while its join waits", () =>
    scene(async (group) => {
      group.coordinator.disturb("slow");
      const { stop, ended } = await group.start("a");
      assert.ok(group.coordinator.memberIds.includes("m1"));
      stop.abort();
      await ended;
      assert.deepEqual(group.coordinator.left, ["m1"]);
    }));
});

describe("member and its lease", () => {
  it("renews the lease with the time at which the request was sent", () =>
    scene(async (group) => {
      const { worker } = await group.start("a");
      const joinedAtMs = group.clock.now() - 100;
      assert.deepEqual(worker.leases, [{ sentAtMs: joinedAtMs, leaseMs: LEASE_MS }]);
      const answered = gate();
      group.coordinator.slowness = answered.opened;
      await group.clock.advance(HEARTBEAT_MS);
      answered.open();
      await group.clock.advance(0);
      assert.deepEqual(worker.leases[1], { sentAtMs: joinedAtMs + HEARTBEAT_MS, leaseMs: LEASE_MS });
    }));

  it("keeps its work while the coordinator is away, until the lease is over, and then stops everything", () =>
    scene(async (group) => {
      const { worker, member } = await group.start("a");
      await group.clock.advance(HEARTBEAT_MS - 100);
      group.coordinator.away = true;
      await group.clock.advance(LEASE_MS - 1);
      assert.equal(worker.work.tasks.length, 4);
      await group.clock.advance(1);
      assert.equal(worker.losses.length, 1);
      assert.deepEqual(group.running.all, []);
      assert.equal(member.view().memberId, "m1", "it comes back as who it was");
      group.coordinator.away = false;
      await group.clock.advance(2_000);
      assert.equal(worker.work.tasks.length, 4);
      assert.equal(group.coordinator.joins.at(-1)?.metadata.allocation, null);
    }));

  it("goes on without a round when the coordinator comes back in time", () =>
    scene(async (group) => {
      const { worker } = await group.start("a");
      group.coordinator.away = true;
      await group.clock.advance(8_000);
      group.coordinator.away = false;
      await group.clock.advance(20_000);
      assert.deepEqual(worker.losses, []);
      assert.equal(group.coordinator.generation, 1);
    }));

  it("PollTimeoutExpiry: has no lease beyond the rebalance time-out while its host is busy, then leaves and stops everything", () =>
    scene(async (group) => {
      const warnings: unknown[] = [];
      const log = { ...silent, warn: (...said: unknown[]) => void warnings.push(said) };
      const stages = createStages(() => 0);
      const { worker, member } = await group.start("a", { log, stages });
      worker.onAssigned = (_, signal) =>
        stages.during(
          "stopping c0",
          () => new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
        );
      const busyAtMs = group.clock.now();
      member.requestRejoin("test");
      await group.clock.advance(100);
      group.coordinator.disturb("other");
      await group.clock.advance(53_900);
      assert.deepEqual(worker.losses, []);
      worker.onAssigned = async () => {};
      await group.clock.advance(200);
      assert.deepEqual(worker.losses, ["worker poll timeout has expired"]);
      assert.match(
        JSON.stringify(warnings),
        /"stage":"The worker is currently stopping c0.*worker poll timeout has expired/,
      );
      const leasedUntilMs = Math.max(...worker.leases.map(({ sentAtMs, leaseMs }) => sentAtMs + leaseMs));
      assert.ok(leasedUntilMs <= busyAtMs + 54_100, `${leasedUntilMs - busyAtMs}`);
      await group.clock.advance(100);
      assert.deepEqual(group.coordinator.left, ["m1"]);
    }));

  it("tells that it polls the coordinator, and for how long if a round is scheduled", () =>
    scene(async (group) => {
      const stages = createStages(() => 0);
      await group.start("a", { stages, maxDelayMs: 60_000 });
      assert.match(
        stages.describe(),
        /^The worker is currently polling the group coordinator until interrupted, which/,
      );
      const { stop, ended } = await group.start("b");
      await group.clock.advance(10_000);
      stop.abort();
      await ended;
      await group.clock.advance(10_000);
      assert.match(
        stages.describe(),
        /^The worker is currently polling the group coordinator for up to [1-9]\d*ms or until interrupted, which/,
      );
    }));

  it("keeps the lease through a round that takes long", () =>
    scene(async (group) => {
      const { worker } = await group.start("a");
      group.coordinator.disturb("slow");
      await group.clock.advance(45_000);
      assert.deepEqual(worker.losses, []);
      assert.equal(worker.work.tasks.length, 4);
      group.coordinator.remove("slow");
      await group.clock.advance(100);
      assert.equal(group.coordinator.generation, 2);
    }));
});

describe("member that loses its membership (invariant 3)", () => {
  for (const [what, lose, comesBackAs] of [
    ["it was removed", (group: Scene) => group.coordinator.remove("m1"), "m2"],
    ["the generation has passed", (group: Scene) => group.coordinator.skipGeneration(), "m1"],
  ] as const) {
    it(`stops everything before it joins again, claiming nothing: ${what}`, () =>
      scene(async (group) => {
        const { worker, member } = await group.start("a");
        const stopped = gate();
        worker.onLost = () => stopped.opened;
        lose(group);
        await group.clock.advance(HEARTBEAT_MS + 5_000);
        assert.equal(worker.losses.length, 1);
        assert.equal(member.view().memberId, "");
        assert.equal(group.coordinator.joins.length, 1, "no join before everything has stopped");
        stopped.open();
        await group.clock.advance(100);
        assert.equal(group.coordinator.joins.length, 2);
        assert.equal(group.coordinator.joins[1]?.metadata.allocation, null);
        assert.equal(member.view().memberId, comesBackAs);
        assert.equal(worker.work.tasks.length, 4);
      }));
  }

  it("does not wait for a round that is being applied", () =>
    scene(async (group) => {
      const { worker, member } = await group.start("a");
      let aborted = false;
      worker.onAssigned = (_, signal) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        signal.addEventListener("abort", () => {
          aborted = true;
          resolve();
        });
        return promise;
      };
      member.requestRejoin("test");
      await group.clock.advance(100);
      group.coordinator.remove("m1");
      worker.onAssigned = async () => {};
      await group.clock.advance(HEARTBEAT_MS);
      assert.equal(aborted, true);
      assert.deepEqual(worker.losses, ["unknown-member"]);
      assert.equal(worker.work.tasks.length, 4);
    }));

  it("notices it at the join, too", () =>
    scene(async (group) => {
      const { worker, member } = await group.start("a");
      group.coordinator.remove("m1");
      member.requestRejoin("test");
      await group.clock.advance(200);
      assert.deepEqual(worker.losses, ["unknown-member"]);
      assert.equal(member.view().memberId, "m2");
      assert.equal(group.coordinator.joins.at(-1)?.metadata.allocation, null);
    }));

  it("when a round fails unexpectedly, stops everything, leaves and comes back", () =>
    scene(async (group) => {
      const { worker, member } = await group.start("a");
      worker.onAssigned = async () => {
        worker.onAssigned = async () => {};
        throw new Error("a bug");
      };
      member.requestRejoin("test");
      await group.clock.advance(2_000);
      assert.equal(worker.losses.length, 1);
      assert.deepEqual(group.coordinator.left, ["m1"]);
      assert.equal(worker.work.tasks.length, 4);
    }));
});

describe("member in a round", () => {
  it("beats on while its host is busy, and does not join before the host is done", () =>
    scene(async (group) => {
      const { worker, member } = await group.start("a");
      const done = gate();
      worker.onAssigned = () => done.opened;
      member.requestRejoin("test");
      await group.clock.advance(100);
      member.requestRejoin("again");
      const beats = worker.leases.length;
      await group.clock.advance(30_000);
      assert.ok(worker.leases.length >= beats + 10);
      assert.equal(group.coordinator.joins.length, 2);
      done.open();
      await group.clock.advance(100);
      assert.equal(group.coordinator.joins.length, 3);
    }));

  it("joins again when the coordinator tells of a round", () =>
    scene(async (group) => {
      await group.start("a");
      group.coordinator.disturb("other");
      await group.clock.advance(HEARTBEAT_MS);
      assert.equal(group.coordinator.joins.length, 2);
    }));

  it("sends a join again that was lost on its way", () =>
    scene(async (group) => {
      const { member, worker } = await group.start("a");
      group.coordinator.loseNextJoin = true;
      member.requestRejoin("test");
      await group.clock.advance(2 * HEARTBEAT_MS);
      assert.equal(group.coordinator.generation, 2);
      assert.deepEqual(worker.losses, []);
    }));

  it("gives back what is revoked before it is assigned elsewhere, and joins at once when it has stopped", () =>
    scene(async (group) => {
      const a = await group.start("a");
      const stopped = gate();
      a.worker.onAssigned = ({ revoked }) => (toKeys(revoked).length > 0 ? stopped.opened : Promise.resolve());
      const b = await group.start("b");
      await group.clock.advance(1_000);
      assert.deepEqual(b.worker.work, NO_WORK);
      stopped.open();
      await group.clock.advance(1_000);
      assert.deepEqual([a.worker.work.tasks.length, b.worker.work.tasks.length], [2, 2]);
      assert.deepEqual([a.member.view().balanced, b.member.view().balanced], [true, true]);
      assert.equal(b.member.view().members.length, 2, "a follower knows what the leader knows");
    }));

  it("joins when the delay that the leader gave is over", () =>
    scene(async (group) => {
      const delayed = { maxDelayMs: 60_000 };
      const a = await group.start("a", delayed);
      const b = await group.start("b", delayed);
      await group.clock.advance(1_000);
      for (const key of group.running.of("b")) group.running.stop("b", key);
      b.stop.abort();
      await b.ended;
      await group.clock.advance(1_000);
      const { delayMs, balanced } = a.member.view();
      assert.ok(delayMs > 58_000 && delayMs <= 60_000, `${delayMs}`);
      assert.equal(balanced, false);
      assert.equal(a.worker.work.tasks.length, 2);
      await group.clock.advance(60_000);
      assert.equal(a.worker.work.tasks.length, 4);
      assert.equal(a.member.view().balanced, true);
    }));

  it("starts nothing in the round that makes the group eager, before everybody has stopped", () =>
    scene(async (group) => {
      const a = await group.start("a");
      const b = await group.start("b");
      await group.clock.advance(1_000);
      const stopped = gate();
      for (const { worker } of [a, b]) worker.onStop = () => stopped.opened;
      const c = await group.start("c", { protocol: "eager" });
      await group.clock.advance(5_000);
      assert.deepEqual(c.worker.work, NO_WORK);
      stopped.open();
      await group.clock.advance(5_000);
      assert.equal(group.running.all.length, 8);
      assert.ok(c.worker.work.tasks.length > 0);
      for (const key of group.running.of("c")) group.running.stop("c", key);
    }));

  it("uses what all members speak, and its rules, as they come and go", () =>
    scene(async (group) => {
      const a = await group.start("a");
      assert.equal(a.member.view().protocolVersion, 2);
      const b = await group.start("b", { protocol: "compatible" });
      await group.clock.advance(5_000);
      assert.deepEqual([a.member.view().protocolVersion, b.member.view().protocolVersion], [1, 1]);
      assert.deepEqual([a.worker.work.tasks.length, b.worker.work.tasks.length], [2, 2]);
      const c = await group.start("c", { protocol: "eager" });
      await group.clock.advance(5_000);
      assert.deepEqual(
        [a, b, c].map(({ member }) => member.view().protocolVersion),
        [0, 0, 0],
      );
      assert.equal(group.running.all.length, 8, "everything runs");
      for (const key of group.running.of("c")) group.running.stop("c", key);
      c.stop.abort();
      await c.ended;
      await group.clock.advance(10_000);
      assert.deepEqual([a.member.view().protocolVersion, b.member.view().protocolVersion], [1, 1]);
      assert.deepEqual([a.worker.work.tasks.length, b.worker.work.tasks.length], [2, 2]);
    }));

  it("removes its former member, whose address it has now", () =>
    scene(async (group) => {
      const former = new JvmLeader(group.coordinator.client());
      await former.join();
      const formerId = group.coordinator.leaderId;
      const { member } = await group.start("jvm");
      await group.clock.advance(1_000);
      assert.deepEqual(group.coordinator.left, [formerId]);
      assert.equal(member.view().isLeader, true);
    }));

  it("under the eager protocol stops everything before it joins", () =>
    scene(async (group) => {
      const { worker, member } = await group.start("a", { protocol: "eager" });
      assert.equal(member.view().protocolVersion, 0);
      assert.equal(worker.work.tasks.length, 4);
      const before = worker.rounds.length;
      member.requestRejoin("test");
      await group.clock.advance(200);
      const [stop, start] = worker.rounds.slice(before);
      assert.deepEqual(stop?.assignment, NO_WORK);
      assert.deepEqual(keysOf(stop?.revoked), keysOf(group.topic.end));
      assert.deepEqual(keysOf(start?.assignment), keysOf(group.topic.end));
    }));
});

describe("member and the config topic", () => {
  it("reads to the position that the round was made for before it starts anything", () =>
    scene(async (group) => {
      const a = await group.start("a");
      group.topic.write(6);
      a.worker.read();
      const b = await group.start("b");
      await group.clock.advance(1_000);
      assert.equal(b.worker.snapshot().offset, group.topic.end.offset);
      assert.deepEqual([a.worker.work.tasks.length, b.worker.work.tasks.length], [3, 3]);
    }));

  it("joins again when its configuration has moved on during the round", () =>
    scene(async (group) => {
      const { worker } = await group.start("a");
      worker.onAssigned = async () => {
        worker.onAssigned = async () => {};
        group.topic.write(5);
        worker.read();
      };
      group.coordinator.disturb("other");
      await group.clock.advance(HEARTBEAT_MS);
      group.coordinator.remove("other");
      await group.clock.advance(200);
      assert.equal(worker.work.tasks.length, 5);
    }));

  it("a leader that is behind reads before it assigns", () =>
    scene(async (group) => {
      const a = await group.start("a");
      group.topic.write(6);
      const b = await group.start("b");
      await group.clock.advance(1_000);
      assert.deepEqual([a.worker.work.tasks.length, b.worker.work.tasks.length], [3, 3]);
      assert.ok(!a.worker.rounds.some((round) => round.configMismatch));
    }));

  it("a leader that cannot read tells everybody, keeps what runs, and assigns once it can", () =>
    scene(async (group) => {
      const a = await group.start("a");
      const refresh = a.worker.onRefresh;
      a.worker.onRefresh = () => Promise.reject(new Error("Kafka is slow"));
      group.topic.write(6);
      const b = await group.start("b");
      await group.clock.advance(150);
      assert.equal(b.worker.rounds.at(-1)?.configMismatch, true);
      assert.equal(a.worker.work.tasks.length, 4);
      a.worker.onRefresh = refresh;
      await group.clock.advance(5_000);
      assert.deepEqual([a.worker.work.tasks.length, b.worker.work.tasks.length], [3, 3]);
    }));

  it("under the eager protocol leaves when it cannot read, and comes back after worker.unsync.backoff.ms", () =>
    scene(async (group) => {
      const { worker, member } = await group.start("a", { protocol: "eager" });
      const refresh = worker.onRefresh;
      worker.onRefresh = () => Promise.reject(new Error("Kafka is slow"));
      const other = await group.start("b", { protocol: "eager" });
      group.topic.write(6);
      other.worker.read();
      other.member.requestRejoin("new connectors");
      await group.clock.advance(10_000);
      assert.deepEqual(group.coordinator.left, ["m1"]);
      assert.deepEqual(worker.work, NO_WORK);
      assert.equal(other.worker.work.tasks.length, 6);
      worker.onRefresh = refresh;
      await group.clock.advance(280_000);
      assert.equal(member.view().memberId, "", "it stays away");
      await group.clock.advance(30_000);
      assert.deepEqual([worker.work.tasks.length, other.worker.work.tasks.length], [3, 3]);
    }));

  it("a follower that cannot read does not start what is new, and after six tries leaves it to others", () =>
    scene(async (group) => {
      const a = await group.start("a");
      const b = await group.start("b");
      await group.clock.advance(1_000);
      const before = b.worker.work;
      let reads = 0;
      const refresh = b.worker.onRefresh;
      b.worker.onRefresh = async () => {
        reads += 1;
        throw new Error("Kafka is slow");
      };
      group.topic.write(8);
      a.worker.read();
      a.member.requestRejoin("new connectors");
      await group.clock.advance(200);
      assert.deepEqual(b.worker.work, before);
      assert.deepEqual(b.worker.losses, []);
      await group.clock.advance(3_500);
      assert.deepEqual(b.worker.losses, []);
      let readsAtLoss = 0;
      b.worker.onLost = async () => {
        readsAtLoss = reads;
      };
      await group.clock.advance(2_000);
      assert.equal(readsAtLoss, 6);
      assert.deepEqual(b.worker.losses, ["the config topic cannot be read"]);
      assert.deepEqual(group.coordinator.left, ["m2"]);
      b.worker.onRefresh = refresh;
      await group.clock.advance(5_000);
      assert.deepEqual([a.worker.work.tasks.length, b.worker.work.tasks.length], [4, 4]);
    }));
});

describe("member that must be sure (invariant 5)", () => {
  it("confirms the leadership of a member that the coordinator knows, and of no other", () =>
    scene(async (group) => {
      const leader = await group.start("a");
      const follower = await group.start("b");
      await group.clock.advance(1_000);
      await leader.member.confirm(AbortSignal.timeout(1_000));
      await assert.rejects(follower.member.confirm(AbortSignal.timeout(1_000)), { code: "rebalance" });
    }));

  it("does not confirm while a round is running, after a removal, or without an answer", () =>
    scene(async (group) => {
      const { member } = await group.start("a");
      group.coordinator.disturb("other");
      await assert.rejects(member.confirm(AbortSignal.timeout(1_000)), { code: "rebalance" });
      group.coordinator.remove("other");
      await group.clock.advance(HEARTBEAT_MS);
      await member.confirm(AbortSignal.timeout(1_000));
      group.coordinator.away = true;
      await assert.rejects(member.confirm(AbortSignal.timeout(1_000)), { code: "rebalance" });
      group.coordinator.away = false;
      group.coordinator.remove("m1");
      await assert.rejects(member.confirm(AbortSignal.timeout(1_000)), { code: "rebalance" });
    }));
});

describe("member that drains", () => {
  it("gives its work away before it leaves, also as the leader", () =>
    scene(async (group) => {
      const a = await group.start("a");
      const b = await group.start("b");
      await group.clock.advance(1_000);
      const drained = a.member.drain(AbortSignal.timeout(5_000));
      await group.clock.advance(1_000);
      await drained;
      assert.deepEqual(a.worker.work, NO_WORK);
      await group.clock.advance(1_000);
      assert.equal(b.worker.work.tasks.length, 4);
      assert.equal(a.member.view().members.find((member) => member.memberId === "m1")?.draining, true);
    }));

  it("learns at once that nobody takes the work", () =>
    scene(async (group) => {
      const { member, worker } = await group.start("a");
      const drained = assert.rejects(member.drain(AbortSignal.timeout(5_000)), { code: "unavailable" });
      await group.clock.advance(1_000);
      await drained;
      assert.equal(worker.work.tasks.length, 4);
    }));

  it("learns at once that its leader does not know of draining", () =>
    scene(async (group) => {
      const leader = new JvmLeader(group.coordinator.client());
      await leader.join();
      const b = await group.start("b");
      const run = leader.lead(group.topic.end);
      await group.clock.advance(1_000);
      await run;
      assert.deepEqual(keysOf(b.worker.work), keysOf(group.topic.end));
      const drained = assert.rejects(b.member.drain(AbortSignal.timeout(5_000)), { code: "unavailable" });
      await group.clock.advance(100);
      await Promise.all([leader.lead(NO_WORK), group.clock.advance(1_000)]);
      await drained;
    }));

  it("is drained when it has lost its membership", () =>
    scene(async (group) => {
      const { member } = await group.start("a");
      group.coordinator.disturb("other");
      const drained = member.drain(AbortSignal.timeout(5_000));
      await group.clock.advance(500);
      group.coordinator.remove("m1");
      await group.clock.advance(500);
      await drained;
    }));
});

/** A leader that gives each other member what it is told to, and knows nothing of draining. */
class JvmLeader {
  readonly #client: GroupClient;
  #memberId = "";

  constructor(client: GroupClient) {
    this.#client = client;
  }

  async join(): Promise<void> {
    const signal = new AbortController().signal;
    const required = await this.#client.join({ memberId: "", protocols: [] }, signal);
    this.#memberId = required.kind === "member-id-required" ? required.memberId : assert.fail();
    await this.lead(NO_WORK);
  }

  /** Completes the round that is on, giving `increment` to every other member. */
  async lead(increment: Assignment): Promise<void> {
    const signal = new AbortController().signal;
    const url = "http://jvm:8083/";
    const metadata = encodeMetadata(2, { url, configOffset: 1n, allocation: null, draining: false });
    const joined = await this.#client.join(
      { memberId: this.#memberId, protocols: [{ name: "sessioned", metadata }] },
      signal,
    );
    if (joined.kind !== "joined") return assert.fail(joined.kind);
    const assignments = joined.members.map(({ memberId }) => ({
      memberId,
      assignment: encodeAssignment(2, {
        error: "none",
        leaderId: this.#memberId,
        leaderUrl: url,
        configOffset: 1n,
        assigned: memberId === this.#memberId ? NO_WORK : increment,
        revoked: NO_WORK,
        delayMs: 0,
      }),
    }));
    await this.#client.sync({ memberId: this.#memberId, generation: joined.generation, assignments }, signal);
    await settle();
  }
}
