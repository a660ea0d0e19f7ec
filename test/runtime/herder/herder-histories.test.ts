import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StringMap } from "@headrace/contract";
import fc from "fast-check";
import type { StopEnd } from "#runtime/executor/pool.ts";
import { createHerder, type Herder } from "#runtime/herder/herder.ts";
import { createStartCounters } from "#runtime/herder/start-counters.ts";
import { createStatusWriter } from "#runtime/herder/status-writer.ts";
import { createTaskPlanner } from "#runtime/herder/task-planner.ts";
import { createStages } from "#runtime/stages.ts";
import { FakeConfigStore, FakeMember, FakePool, FakeStatusStore, idle, round, silent } from "./fakes.ts";

const NAMES = ["a", "b"] as const;
const Name = fc.constantFrom(...NAMES);
const Index = fc.nat(1_000);
const Event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("put" as const), name: Name, tasks: fc.nat(2) }) },
  fc.record({ kind: fc.constant("remove" as const), name: Name }),
  fc.record({
    kind: fc.constant("target" as const),
    name: Name,
    state: fc.constantFrom("STARTED" as const, "PAUSED" as const, "STOPPED" as const),
  }),
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("round" as const), share: Index }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("settle" as const), which: Index, fails: fc.boolean() }) },
  fc.record({ kind: fc.constant("restart" as const), which: Index }),
  fc.record({ kind: fc.constant("restartParts" as const), name: Name, onlyFailed: fc.boolean() }),
  fc.record({ kind: fc.constant("fail" as const), which: Index }),
  fc.record({ kind: fc.constant("replan" as const), name: Name }),
  fc.record({ kind: fc.constant("crash" as const) }),
  fc.record({ kind: fc.constant("lose" as const) }),
);
type Happening = typeof Event extends fc.Arbitrary<infer T> ? T : never;

/** Calls to executors that wait for the test, one queue per item: an executor handles what concerns one item in order. */
class SlowPool extends FakePool {
  readonly waiting = new Map<string, { readonly call: string; readonly end: (error: Error | null) => void }[]>();
  readonly violations: string[] = [];
  /** Nothing waits any more. */
  open = false;

  #slow(call: string, item: string, effect: () => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = (error: Error | null) => {
      if (error !== null) return reject(error);
      effect();
      resolve();
    };
    if (this.open) end(null);
    else this.waiting.set(item, [...(this.waiting.get(item) ?? []), { call, end }]);
    return promise;
  }

  settle(item: string, error: Error | null): void {
    const [first, ...rest] = this.waiting.get(item) ?? [];
    if (rest.length > 0) this.waiting.set(item, rest);
    else this.waiting.delete(item);
    first?.end(first.call.startsWith("start") ? error : null);
  }

  #started(item: string): void {
    if (this.live.has(item)) this.violations.push(`${item} was started although it runs`);
    this.live.add(item);
  }

  override startConnector({ connector }: { connector: string }): Promise<void> {
    return this.#slow(`start ${connector}`, connector, () => this.#started(connector));
  }
  override startTask({ key }: { key: { connector: string; task: number } }): Promise<void> {
    const item = `${key.connector}/${key.task}`;
    return this.#slow(`start ${item}`, item, () => this.#started(item));
  }
  override async stopConnector(connector: string): Promise<StopEnd> {
    await this.#slow(`stop ${connector}`, connector, () => this.live.delete(connector));
    return "stopped";
  }
  override async stopTask(key: { connector: string; task: number }): Promise<StopEnd> {
    const item = `${key.connector}/${key.task}`;
    await this.#slow(`stop ${item}`, item, () => this.live.delete(item));
    return "stopped";
  }
  override async setTargetState(): Promise<void> {}
  override async taskConfigs(connector: string): Promise<readonly StringMap[]> {
    if (!this.live.has(connector)) throw new Error(`${connector} does not run`);
    return this.plan(connector);
  }
}

/** One worker that gets whatever the group has, or a part of it, under everything that may happen to it. */
class World {
  readonly configStore = new FakeConfigStore();
  readonly statusStore = new FakeStatusStore();
  readonly pool = new SlowPool();
  readonly member = new FakeMember();
  readonly herder: Herder;
  readonly #end = new AbortController();
  readonly #ended: Promise<void>;
  readonly #answers: Promise<unknown>[] = [];
  /** The member waits for one round, or for the end of everything, before it goes on. */
  #step: Promise<void> | null = null;
  nowMs = 0;

  constructor() {
    const { configStore, statusStore, pool, member } = this;
    pool.plan = (name) => {
      const config = configStore.config().connectors.get(name)?.config;
      return Array.from({ length: Number(config?.["planned"] ?? 0) }, (_, task) => ({ ...config, task: `${task}` }));
    };
    const planner = createTaskPlanner({
      pool,
      config: () => configStore.config(),
      // As the leader does: a connector that was removed or stopped meanwhile gets no tasks.
      commit: async (name, tasks) => {
        const entry = configStore.config().connectors.get(name);
        if (entry === undefined || entry.targetState === "STOPPED") throw new Error("refused");
        await configStore.putTaskConfigs(name, tasks);
      },
      stages: createStages(() => 0),
      log: silent,
    });
    this.herder = createHerder({
      configStore,
      statusStore,
      statuses: createStatusWriter({
        store: statusStore,
        workerId: "self:8083",
        generation: () => 1,
        versionOf: () => null,
      }),
      pool,
      member: () => member,
      workerId: "self:8083",
      planner,
      starts: createStartCounters(),
      ended: () => {},
      topicTracking: true,
      gracefulTimeoutMs: 5_000,
      now: () => this.nowMs,
      stages: createStages(() => 0),
      log: silent,
    });
    this.#ended = this.herder.run(this.#end.signal);
  }

  /** Everything that the leader knows of, as `c` and `c/0`. */
  configured(): string[] {
    return [...this.configStore.config().connectors].flatMap(([name, entry]) => [
      name,
      ...(entry.tasks ?? []).map((_, task) => `${name}/${task}`),
    ]);
  }

  /** What has to run when all of it was given to this worker. */
  wanted(): string[] {
    const { connectors } = this.configStore.config();
    return this.configured().filter((item) => connectors.get(item.split("/")[0] ?? "")?.targetState !== "STOPPED");
  }

  /** Gives these items; nothing else may run when the round is done (invariant 3). Not while the member waits for something. */
  giveRound(items: readonly string[]): void {
    if (this.#step !== null) return;
    const { offset } = this.configStore.config();
    const given = this.herder.assigned(round(this.member.view(), offset, ...items), this.#end.signal);
    this.#wait(given, items);
  }

  /** The group has given the work away. */
  lose(): void {
    if (this.#step === null) this.#wait(this.herder.lost("evicted", this.#end.signal), []);
  }

  #wait(step: Promise<void>, items: readonly string[]): void {
    this.#step = step.then(() => {
      this.#step = null;
      for (const item of this.pool.live) {
        if (!items.includes(item)) this.pool.violations.push(`${item} runs although it was taken away`);
      }
    });
    this.#answers.push(this.#step);
  }

  restart(item: string): void {
    const [name = "", task] = item.split("/");
    this.#answers.push(this.herder.restart(name, task === undefined ? null : Number(task)).catch(() => {}));
  }

  fail(item: string): void {
    const [connector = "", task] = item.split("/");
    const status = { connector, task: task === undefined ? null : Number(task) };
    this.herder.hear({ kind: "status", ...status, state: "FAILED", trace: "boom", version: null });
  }

  /** The process that everything runs in has died; what was asked of it fails. */
  crash(): void {
    const lost = [...this.pool.live];
    this.pool.live.clear();
    this.herder.executorLost({
      reason: "was ended by SIGKILL",
      connectors: lost.filter((item) => !item.includes("/")),
      tasks: lost.flatMap((item) => {
        const [connector = "", task] = item.split("/");
        return task === undefined ? [] : [{ connector, task: Number(task) }];
      }),
      alone: false,
    });
  }

  /** Everything that waits happens, the group has its rounds, and pauses pass, until nothing changes any more. */
  async comeToRest(): Promise<void> {
    this.pool.open = true;
    for (let calm = 0, rounds = 0; calm < 2; rounds += 1) {
      assert.ok(rounds < 50, "it does not come to rest");
      while (this.pool.waiting.size > 0) for (const item of [...this.pool.waiting.keys()]) this.pool.settle(item, null);
      await idle();
      await idle();
      assert.equal(this.#step, null, "a round is never done");
      this.nowMs += 120_000;
      const before = [this.configStore.config().offset, [...this.pool.live].sort().join()].join();
      this.giveRound(this.configured());
      await idle();
      assert.equal(this.#step, null, "a round is never done");
      // Makes the herder look at everything again.
      for (const name of NAMES) this.herder.hear({ kind: "taskReconfiguration", connector: name });
      await idle();
      const after = [this.configStore.config().offset, [...this.pool.live].sort().join()].join();
      calm = before === after ? calm + 1 : 0;
    }
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#ended;
  }

  /** Every round and every restart has got its answer. */
  async answered(): Promise<void> {
    let all = false;
    void Promise.all(this.#answers).then(() => {
      all = true;
    });
    await idle();
    assert.ok(all, "somebody gets no answer");
  }
}

async function happen(world: World, event: Happening): Promise<void> {
  const { configStore, pool } = world;
  const at = (items: readonly string[], index: number) => items[index % Math.max(1, items.length)];
  switch (event.kind) {
    case "put":
      return configStore.putConnector(event.name, { name: event.name, planned: `${event.tasks}` }, null);
    case "remove":
      if (configStore.config().connectors.has(event.name)) await configStore.removeConnector(event.name);
      return;
    case "target":
      if (!configStore.config().connectors.has(event.name)) return;
      // As the leader does it.
      if (event.state === "STOPPED") await configStore.putTaskConfigs(event.name, []);
      return configStore.putTargetState(event.name, event.state);
    case "round":
      return world.giveRound(world.configured().filter((_, index) => ((event.share >> index) & 1) === 1));
    case "settle": {
      const item = at([...pool.waiting.keys()], event.which);
      if (item !== undefined)
        pool.settle(item, event.fails && event.which % 3 === 0 ? new Error("no such host") : null);
      return;
    }
    case "restart": {
      const item = at(world.configured(), event.which);
      if (item !== undefined) world.restart(item);
      return;
    }
    case "restartParts":
      return configStore.putRestart(event.name, { includeTasks: true, onlyFailed: event.onlyFailed });
    case "fail": {
      const item = at([...pool.live], event.which);
      if (item !== undefined) world.fail(item);
      return;
    }
    case "replan":
      return world.herder.hear({ kind: "taskReconfiguration", connector: event.name });
    case "crash":
      return world.crash();
    case "lose":
      return world.lose();
    default:
      throw new Error(`unreachable: ${event satisfies never}`);
  }
}

/** Histories in which something once went wrong. */
const FOUND: readonly (readonly { event: Happening; turns: number }[])[] = [
  // A connector that has stopped to be restarted, and is deleted before the herder looks again.
  [
    { event: { kind: "put", name: "b", tasks: 0 }, turns: 0 },
    { event: { kind: "round", share: 57 }, turns: 0 },
    { event: { kind: "settle", which: 0, fails: false }, turns: 0 },
    { event: { kind: "settle", which: 0, fails: false }, turns: 0 },
    { event: { kind: "restart", which: 0 }, turns: 1 },
    { event: { kind: "settle", which: 0, fails: false }, turns: 0 },
    { event: { kind: "remove", name: "b" }, turns: 0 },
    { event: { kind: "replan", name: "a" }, turns: 0 },
  ],
];

describe("a herder under whatever may happen", () => {
  it("runs nothing twice or after a round took it away, answers everybody, and ends with what is wanted", async () => {
    const History = fc.array(fc.record({ event: Event, turns: fc.nat(3) }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(History, async (history) => {
        const world = new World();
        try {
          for (const { event, turns } of history) {
            await happen(world, event);
            for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
          }
          await world.comeToRest();
          await world.answered();
          assert.deepEqual(world.pool.violations, []);
          const failed = new Set(
            world.herder.running().flatMap(({ connector, task, phase }) => {
              return phase === "failed" ? [task === null ? connector : `${connector}/${task}`] : [];
            }),
          );
          const missing = world.wanted().filter((item) => !world.pool.live.has(item) && !failed.has(item));
          assert.deepEqual(missing, [], "wanted, not failed, and yet not running");
          const surplus = [...world.pool.live].filter((item) => !world.wanted().includes(item));
          assert.deepEqual(surplus, [], "runs, and nobody wants it");
        } finally {
          await world.close();
        }
      }),
      { numRuns: 300, includeErrorInReport: true, examples: FOUND.map((history) => [[...history]]) },
    );
  });
});
