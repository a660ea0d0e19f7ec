import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { GroupMember } from "#runtime/group/group.ts";
import { createMember } from "#runtime/group/member.ts";
import { toKeys } from "#runtime/group/work.ts";
import type { GroupClient } from "#runtime/kafka/group-client.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeCoordinator } from "./fake-coordinator.ts";
import { FakeNetwork } from "./fake-network.ts";
import { silent } from "./silent-logger.ts";
import { ConfigTopic, RunningWork, WorkerDouble } from "./worker-double.ts";

const SESSION_MS = 10_000;
/** A client gives up a request that nobody answers. */
const ANSWER_TIMEOUT_MS = 10_000;
const FOR_EVER_MS = 1e12;
const MAX_WORKERS = 4;
const Index = fc.nat(1_000);
const Event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("start" as const) }) },
  fc.record({ kind: fc.constant("stop" as const), who: Index }),
  fc.record({ kind: fc.constant("drain" as const), who: Index }),
  fc.record({ kind: fc.constant("kill" as const), who: Index }),
  fc.record({ kind: fc.constant("cut" as const), who: Index, lost: fc.boolean() }),
  fc.record({ kind: fc.constant("heal" as const) }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("configure" as const), count: fc.nat(4), tasks: fc.nat(2) }) },
  fc.record({ kind: fc.constant("rejoin" as const), who: Index }),
  fc.record({ kind: fc.constant("coordinator" as const), away: fc.boolean() }),
  fc.record({ kind: fc.constant("stall" as const), who: Index, ms: fc.integer({ min: 1, max: 4_000 }) }),
);
type Happening = typeof Event extends fc.Arbitrary<infer T> ? T : never;

interface Actor {
  readonly name: string;
  readonly worker: WorkerDouble;
  readonly member: GroupMember;
  readonly stop: AbortController;
  ended: Promise<void>;
  /** No process any more: it answers nobody and runs nothing. */
  dead: boolean;
  /** Its requests do not reach the coordinator; `lost`: nor do they fail. */
  cut: "no" | "refused" | "lost";
  hasEnded: boolean;
}

/** A group of whole members whose sessions the coordinator ends, with time that the test moves. */
class World {
  readonly clock = new FakeClock();
  readonly coordinator = new FakeCoordinator();
  readonly network = new FakeNetwork();
  readonly topic = new ConfigTopic();
  readonly running = new RunningWork();
  readonly actors: Actor[] = [];
  readonly #heardAtMs = new Map<string, number>();
  readonly #waiting = new Map<string, number>();

  async start(anyhow = false): Promise<void> {
    if (!anyhow && this.alive().length >= MAX_WORKERS) return;
    const name = `w${this.actors.length}`;
    const worker = new WorkerDouble(name, this.topic, this.running);
    const url = `http://${name}:8083/`;
    const member = createMember({
      groupId: "group",
      url,
      client: this.#client(() => actor),
      host: worker,
      protocol: "sessioned",
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: 3_000,
      maxDelayMs: 0,
      rebalanceTimeoutMs: 60_000,
      unsyncBackoffMs: 300_000,
      syncTimeoutMs: 1_000,
      log: silent,
      clock: this.clock,
      transport: this.network.transport(),
    });
    const stop = new AbortController();
    const actor: Actor = {
      name,
      worker,
      member,
      stop,
      ended: Promise.resolve(),
      dead: false,
      cut: "no",
      hasEnded: false,
    };
    this.network.register(url, member);
    actor.ended = member.run(stop.signal).then(() => {
      actor.hasEnded = true;
      // The process ends, and whatever it has not given up with it.
      if (!actor.dead) this.#endProcess(actor);
    });
    this.actors.push(actor);
    await this.pass(100);
  }

  alive(): Actor[] {
    return this.actors.filter(({ dead, stop }) => !dead && !stop.signal.aborted);
  }

  kill(actor: Actor): void {
    actor.dead = true;
    this.#endProcess(actor);
    actor.worker.onAssigned = () => new Promise(() => {});
  }

  /** As a worker ends: first its work, then its membership. */
  stop(actor: Actor): void {
    for (const key of this.running.of(actor.name)) this.running.stop(actor.name, key);
    actor.worker.onAssigned = () => new Promise(() => {});
    actor.stop.abort();
  }

  #endProcess({ name }: Actor): void {
    this.network.fail(`http://${name}:8083/`, "refused");
    for (const key of this.running.of(name)) this.running.stop(name, key);
  }

  /** Time passes; sessions of those that the coordinator does not hear run out. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 250) {
      await this.clock.advance(Math.min(left, 250));
      for (const memberId of this.coordinator.memberIds) {
        const since = this.#heardAtMs.get(memberId) ?? this.clock.now();
        this.#heardAtMs.set(memberId, since);
        if ((this.#waiting.get(memberId) ?? 0) > 0 || this.coordinator.away) continue;
        if (this.clock.now() - since > SESSION_MS) this.coordinator.remove(memberId);
      }
    }
  }

  /** Everything is repaired, and after a while everything has to run, once. */
  async comeToRest(): Promise<void> {
    this.coordinator.away = false;
    for (const actor of this.actors) if (!actor.dead) actor.cut = "no";
    for (const memberId of this.coordinator.memberIds) this.#heardAtMs.set(memberId, this.clock.now());
    await this.pass(60_000);
  }

  /** Whoever is still on the way out has no more time. */
  async close(): Promise<void> {
    for (const actor of this.actors) {
      actor.stop.abort();
      actor.cut = "refused";
      actor.dead = true;
    }
    // What stalls ends when its time has come.
    for (let turn = 0; turn < 100 && !this.actors.every(({ hasEnded }) => hasEnded); turn += 1) {
      await this.clock.advance(1_000);
    }
    for (const { hasEnded, name } of this.actors) assert.ok(hasEnded, `${name} does not end`);
  }

  #client(actor: () => Actor): GroupClient {
    const real = this.coordinator.client();
    const reach = async <T>(signal: AbortSignal, request: () => Promise<T>) => {
      const { cut, dead } = actor();
      if (dead || cut === "lost") await this.clock.sleep(dead ? FOR_EVER_MS : ANSWER_TIMEOUT_MS, signal);
      if (cut === "lost") return { kind: "coordinator-unavailable", reason: "no answer" } as const;
      if (cut === "refused") return { kind: "coordinator-unavailable", reason: "cut off" } as const;
      return await request();
    };
    const heard = (memberId: string) => void this.#heardAtMs.set(memberId, this.clock.now());
    const awaited = async <T>(memberId: string, request: () => Promise<T>): Promise<T> => {
      heard(memberId);
      this.#waiting.set(memberId, (this.#waiting.get(memberId) ?? 0) + 1);
      try {
        return await request();
      } finally {
        this.#waiting.set(memberId, (this.#waiting.get(memberId) ?? 1) - 1);
        heard(memberId);
      }
    };
    return {
      join: (request, signal) => reach(signal, () => awaited(request.memberId, () => real.join(request, signal))),
      sync: (request, signal) => reach(signal, () => awaited(request.memberId, () => real.sync(request, signal))),
      heartbeat: (identity, signal) =>
        reach(signal, () => {
          if (!this.coordinator.away) heard(identity.memberId);
          return real.heartbeat(identity, signal);
        }),
      leave: async (memberId, signal) => {
        if (actor().dead) return { kind: "left" };
        return reach(signal, () => real.leave(memberId, signal));
      },
      members: async (signal) => (actor().dead || actor().cut !== "no" ? [] : real.members(signal)),
      close: () => {},
    };
  }
}

async function happen(world: World, event: Happening): Promise<void> {
  const alive = world.alive();
  const pick = (index: number) => alive[index % Math.max(1, alive.length)];
  switch (event.kind) {
    case "start":
      return world.start();
    case "stop": {
      const actor = pick(event.who);
      return actor === undefined ? undefined : world.stop(actor);
    }
    case "drain": {
      const actor = pick(event.who);
      const limit = new AbortController();
      actor?.member.drain(limit.signal).then(
        () => world.stop(actor),
        () => world.stop(actor),
      );
      return;
    }
    case "kill": {
      const actor = pick(event.who);
      return actor === undefined ? undefined : world.kill(actor);
    }
    case "cut": {
      const actor = pick(event.who);
      if (actor !== undefined) actor.cut = event.lost ? "lost" : "refused";
      return;
    }
    case "heal":
      for (const actor of alive) actor.cut = "no";
      return;
    case "configure":
      return world.topic.write(event.count, event.tasks);
    case "rejoin": {
      const actor = pick(event.who);
      actor?.worker.read();
      return actor?.member.requestRejoin("the configuration has changed");
    }
    case "coordinator":
      world.coordinator.away = event.away;
      return;
    case "stall": {
      const actor = pick(event.who);
      if (actor !== undefined) actor.worker.onStop = () => world.clock.sleep(event.ms, new AbortController().signal);
      return;
    }
    default:
      throw new Error(`unreachable: ${event satisfies never}`);
  }
}

describe("a group under whatever may happen", () => {
  it("runs nothing twice, and everything once when it is left alone", async () => {
    const Step = fc.record({ event: Event, passMs: fc.constantFrom(0, 0, 50, 1_000, 5_000, 12_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(Step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const world = new World();
        world.topic.write(3);
        try {
          await world.start();
          for (const { event, passMs } of steps) {
            await happen(world, event);
            await world.pass(passMs);
          }
          // All others may be on their way out.
          await world.start(true);
          // The last change is told to everybody, as each worker's own reading does.
          world.topic.write(3);
          for (const actor of world.alive()) {
            actor.worker.read();
            actor.member.requestRejoin("the configuration has changed");
          }
          await world.comeToRest();
          assert.deepEqual(world.running.violations, []);
          assert.deepEqual(world.running.all.toSorted(), toKeys(world.topic.end).toSorted());
          for (const { member, name } of world.alive()) {
            const { rebalancing, leaderUrl } = member.view();
            assert.deepEqual([name, rebalancing, leaderUrl === null], [name, false, false]);
          }
        } finally {
          await world.close();
        }
      }),
      { numRuns: 10, includeErrorInReport: true },
    );
  });
});
