import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { StringMap } from "@headrace/contract";
import { config, defineSource, type OffsetMap, RetriableError, STRING_SCHEMA } from "@headrace/sdk";
import { z } from "zod";
import type { ExecutorCalls, ExecutorNotice, WorkerCalls, WorkerNotice } from "#runtime/executor/channel.ts";
import { createHost } from "#runtime/executor/host.ts";
import { machineClockMs } from "#runtime/executor/machine-clock.ts";
import { connectRpc, type Rpc } from "#runtime/executor/rpc.ts";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import type { PluginPackage } from "#runtime/plugins/plugin-package.ts";
import { createPluginStore } from "#runtime/plugins/plugin-store.ts";
import { canonicalKey } from "#runtime/task/pending-offsets.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeConsumer } from "#support/fake-record-consumer.ts";
import { createFakeProducer } from "#support/fake-record-producer.ts";
import { createPortPair } from "#support/message-ports.ts";
import { createSilentLog } from "#support/silent-log.ts";

const signal = AbortSignal.timeout(30_000);

/** A source that counts, and can be told to misbehave. */
const counter = defineSource({
  name: "counter",
  version: "1.2.3",
  aliases: ["org.x.CounterSourceConnector"],
  config: z.object({ topic: config.nonEmpty(), fail: z.string().optional(), tasks: config.int().default(1) }),
  async open({ fail }, context) {
    if (fail === "open") throw new Error("no such system");
    if (fail === "slowly") await new Promise((resolve) => setTimeout(resolve, 50));
    context.requestTaskReconfiguration();
    return { close: () => context.log.info({ odd: 5n, error: new Error("x") }, "closed") };
  },
  planTasks: ({ tasks }) => Array.from({ length: tasks }, (_, index) => ({ index: String(index) })),
  async openTask({ topic, fail }, context) {
    if (fail === "openTask") throw new Error("no such table");
    const partition = { counter: topic };
    let count = Number((await context.offset(partition))?.["count"] ?? 0);
    return {
      async poll() {
        await new Promise((resolve) => setTimeout(resolve, 2));
        if (fail === "poll") throw new RetriableError("later");
        count += 1;
        const value = { schema: STRING_SCHEMA, value: String(count) };
        return [{ topic, value, sourcePartition: partition, sourceOffset: { count } }];
      },
      close: () => {},
    };
  },
});

/** Ends what the test has left running. */
const endings: (() => void)[] = [];

function setUp() {
  const ports = createPortPair();
  const notices: ExecutorNotice[] = [];
  const offsets = new Map<string, OffsetMap>();
  const producer = createFakeProducer();
  producer.autoSettle = true;
  const consumer = createFakeConsumer();
  let lost = 0;
  const unused = () => {
    throw new Error("not used here");
  };
  const worker = connectRpc<ExecutorCalls, WorkerNotice, WorkerCalls, ExecutorNotice>({
    port: ports.left,
    handlers: {
      readOffsets: ({ partitions }) => partitions.map((partition) => offsets.get(canonicalKey(partition)) ?? null),
      writeOffsets({ offsets: written }) {
        for (const { partition, offset } of written) if (offset !== null) offsets.set(canonicalKey(partition), offset);
        return null;
      },
      offsetKeys: unused,
      fenceZombies: unused,
      isCurrentTask: unused,
    },
    onNotice: (notice) => notices.push(notice),
  });
  const host = createHost({
    rpc: () => executor,
    plugins: createPluginStore([...BUILT_IN_PLUGINS, counter], createSilentLog),
    createClients: () => ({
      openSourceProducer: async () => producer,
      openTransactionalProducer: unused,
      fenceProducers: unused,
      openDeadLetterProducer: unused,
      openSinkConsumer: async () => consumer,
      sinkIdentity: unused,
      openSinkGroup: unused,
      createAdmin: unused,
      features: () => ["gzip"],
    }),
    offsetsTopics: { open: unused, writeInTransaction: unused },
    env: { TOPIC: "numbers", MAX: "2", ENFORCE: "false", CLASS: "counter" },
    hide: (text) => text,
    memoryBytes: () => 42,
    now: () => performance.now(),
    random: () => 0.5,
    leaseLost: () => {
      lost += 1;
    },
  });
  const executor: Rpc<WorkerCalls, ExecutorNotice> = connectRpc<
    WorkerCalls,
    ExecutorNotice,
    ExecutorCalls,
    WorkerNotice
  >({
    port: ports.right,
    handlers: host.handlers,
    onNotice: (notice) => host.hear(notice),
  });
  endings.push(() => {
    host.hear({ kind: "lease", ttlMs: 1, sentAtMs: machineClockMs() });
    host.hear({ kind: "lease", ttlMs: 0, sentAtMs: machineClockMs() });
  });
  const states = (task: number | null) =>
    notices.flatMap((notice) => (notice.kind === "status" && notice.task === task ? [notice.state] : []));
  return {
    call: <N extends keyof ExecutorCalls>(name: N, args: ExecutorCalls[N]["args"]) => worker.call(name, args, signal),
    lease: (ttlMs: number, ageMs = 0) => worker.notify({ kind: "lease", ttlMs, sentAtMs: machineClockMs() - ageMs }),
    host,
    notices,
    offsets,
    producer,
    states,
    lost: () => lost,
    until: (task: number | null, state: string) =>
      eventually(`${task} ${state} after ${states(task)}`, () => states(task).at(-1) === state, 60_000),
  };
}

const WORKER = {
  "key.converter": "string",
  "value.converter": "string",
  "offset.flush.interval.ms": "5",
  "config.providers": "env",
};
const setup = { worker: WORKER, workerId: "w", kafkaClusterId: "k" };
const somePackage = (plugin: string): PluginPackage => ({
  directory: "/plugins/some",
  name: "some",
  version: "1.0.0",
  entry: "/plugins/some/index.js",
  fingerprint: plugin,
  plugins: [{ kind: "sink", name: plugin, version: "1.0.0", aliases: [], headers: false }],
});
const connectorConfig: StringMap = { name: "c", "connector.class": "counter", topic: `\${env:TOPIC}` };
const key = { connector: "c", task: 0 };
const taskStart = (more: StringMap = {}) => {
  const given = { ...connectorConfig, ...more };
  return {
    key,
    connectorConfig: given,
    taskConfig: given,
    targetState: "STARTED" as const,
    taskGeneration: 1,
    taskCount: 1,
  };
};

describe("executor host", () => {
  afterEach(() => {
    for (const end of endings.splice(0)) end();
  });

  it("answers what it is and has", async () => {
    const host = setUp();
    assert.deepEqual(await host.call("setup", setup), { features: ["gzip"], memoryBytes: 42 });
    assert.deepEqual(await host.call("ping", null), { memoryBytes: 42 });
    assert.ok((await host.call("plugins", null)).some((plugin) => plugin.class === "counter"));
    assert.equal((await host.call("configDef", { plugin: "counter", version: null }))[0]?.name, "topic");
    assert.equal((await host.call("validate", { config: { ...connectorConfig, topic: "" } })).error_count, 1);
  });

  it("knows the packages that it was told of last, before its set-up and after it", async () => {
    const host = setUp();
    host.host.hear({ kind: "packages", packages: [somePackage("older")] });
    await host.call("setup", setup);
    assert.ok((await host.call("plugins", null)).some((plugin) => plugin.class === "older"));
    host.host.hear({ kind: "packages", packages: [somePackage("newer")] });
    const names = (await host.call("plugins", null)).map((plugin) => plugin.class);
    assert.deepEqual([names.includes("newer"), names.includes("older")], [true, false]);
  });

  it("runs a connector: RUNNING, PAUSED, RUNNING, UNASSIGNED; plans tasks with raw placeholders and a Java task class", async () => {
    const host = setUp();
    await host.call("setup", setup);
    await host.call("startConnector", { connector: "c", config: connectorConfig, targetState: "STARTED" });
    assert.deepEqual(await host.call("taskConfigs", { connector: "c" }), [
      { ...connectorConfig, index: "0", "task.class": "org.x.CounterSourceTask" },
    ]);
    await host.call("setTargetState", { connector: "c", targetState: "PAUSED" });
    await host.call("setTargetState", { connector: "c", targetState: "STARTED" });
    await host.call("stopConnector", { connector: "c" });
    assert.deepEqual(host.states(null), ["RUNNING", "PAUSED", "RUNNING", "UNASSIGNED"]);
    assert.equal(host.notices.filter((notice) => notice.kind === "taskReconfiguration").length, 2);
    const logged = host.notices.find((notice) => notice.kind === "log");
    assert.ok(logged?.kind === "log" && logged.message === "closed");
    assert.equal(Reflect.get(logged.fields, "odd"), "5");
    assert.equal(await host.call("stopConnector", { connector: "c" }), null);
  });

  it("pauses a connector that is being started", async () => {
    const host = setUp();
    await host.call("setup", setup);
    const slow = { ...connectorConfig, fail: "slowly" };
    const started = host.call("startConnector", { connector: "c", config: slow, targetState: "STARTED" });
    await host.call("setTargetState", { connector: "c", targetState: "PAUSED" });
    await started;
    assert.deepEqual(host.states(null), ["RUNNING", "PAUSED"]);
  });

  it("tells a connector that cannot start, or plans too many tasks, FAILED", async () => {
    const host = setUp();
    await host.call("setup", setup);
    const failing = { ...connectorConfig, fail: "open" };
    await assert.rejects(
      host.call("startConnector", { connector: "c", config: failing, targetState: "STARTED" }),
      /no such system/,
    );
    assert.deepEqual(host.states(null), ["FAILED"]);
    await host.call("startConnector", {
      connector: "c",
      config: { ...connectorConfig, "tasks.max": `\${env:MAX}`, tasks: "3" },
      targetState: "STARTED",
    });
    await assert.rejects(
      host.call("taskConfigs", { connector: "c" }),
      /The connector c has generated 3 tasks, which is greater than 2/,
    );
    assert.deepEqual(host.states(null), ["FAILED", "RUNNING", "FAILED"]);
  });

  it("knows a connector by a class that a placeholder names", async () => {
    const host = setUp();
    await host.call("setup", setup);
    const named = { "connector.class": `\${env:CLASS}` };
    assert.equal(await host.call("connectorType", { config: { ...connectorConfig, ...named } }), "source");
    assert.equal(await host.call("connectorType", { config: { "connector.class": "nope" } }), "unknown");
    host.lease(60_000);
    await host.call("startTask", taskStart(named));
    await host.until(0, "RUNNING");
    const running = host.notices.find((notice) => notice.kind === "status" && notice.state === "RUNNING");
    assert.equal(running?.kind === "status" ? running.version : null, "1.2.3");
  });

  it("has as many tasks as a placeholder says, and fails those of a stored set that is larger", async () => {
    const host = setUp();
    await host.call("setup", setup);
    host.lease(60_000);
    const limited = { ...connectorConfig, "tasks.max": `\${env:MAX}`, tasks: "2" };
    await host.call("startConnector", { connector: "c", config: limited, targetState: "STARTED" });
    assert.deepEqual(
      (await host.call("taskConfigs", { connector: "c" })).map((task) => [task["index"], task["tasks.max"]]),
      [
        ["0", `\${env:MAX}`],
        ["1", `\${env:MAX}`],
      ],
    );
    await host.call("startTask", { ...taskStart(limited), taskCount: 3 });
    await host.until(0, "FAILED");
    const failed = host.notices.find((notice) => notice.kind === "status" && notice.state === "FAILED");
    assert.match(
      failed?.kind === "status" ? (failed.trace ?? "") : "",
      /The connector c has generated 3 tasks, which is greater than 2, the maximum number of tasks it is configured to create\. /,
    );
    await host.call("stopTask", { key, timeoutMs: 2_000 });
    const unlimited = { ...limited, "tasks.max.enforce": `\${env:ENFORCE}` };
    await host.call("startTask", { ...taskStart(unlimited), taskCount: 3 });
    await host.until(0, "RUNNING");
  });

  it("fails a task of a set that is too large though its connector is paused (KIP-1004)", async () => {
    const host = setUp();
    await host.call("setup", setup);
    host.lease(60_000);
    await host.call("startTask", { ...taskStart({ "tasks.max": "1" }), targetState: "PAUSED", taskCount: 2 });
    await host.until(0, "FAILED");
    assert.deepEqual(host.states(0), ["FAILED"]);
    await host.call("stopTask", { key, timeoutMs: 2_000 });
  });

  it("runs a task with resolved configuration, its offsets in the worker", async () => {
    const host = setUp();
    await host.call("setup", setup);
    host.lease(60_000);
    host.offsets.set(canonicalKey({ counter: "numbers" }), { count: 100 });
    await host.call("startTask", taskStart());
    await eventually("records", () => host.producer.batches.length >= 3, 5_000);
    await host.call("setTargetState", { connector: "c", targetState: "PAUSED" });
    await host.until(0, "PAUSED");
    await host.call("setTargetState", { connector: "c", targetState: "STARTED" });
    await host.until(0, "RUNNING");
    await host.call("stopTask", { key, timeoutMs: 2_000 });
    assert.deepEqual(host.states(0), ["RUNNING", "PAUSED", "RUNNING", "UNASSIGNED"]);
    assert.deepEqual(
      host.producer.batches[0]?.map(({ topic, value }) => [topic, value]),
      [["numbers", "101"]],
    );
    const last = host.producer.batches.at(-1)?.[0]?.value;
    assert.equal(host.offsets.get(canonicalKey({ counter: "numbers" }))?.["count"], Number(last));
    assert.ok(host.notices.some((notice) => notice.kind === "activeTopic" && notice.topic === "numbers"));
    assert.equal(await host.call("stopTask", { key, timeoutMs: 1 }), null);
  });

  it("tells counters when they have changed", async () => {
    const host = setUp();
    await host.call("setup", setup);
    host.lease(60_000);
    await host.call("startTask", taskStart());
    await eventually("counters", () => {
      const [metrics] = host.host.changedMetrics();
      return (metrics?.values["source-record-write-total"] ?? 0) > 0 && metrics?.type === "source";
    });
    await host.call("stopTask", { key, timeoutMs: 2_000 });
    assert.deepEqual(host.host.changedMetrics(), []);
  });

  it("fails a task for whatever its configuration has wrong, with the reason in the trace", async () => {
    const rows: readonly [StringMap, RegExp][] = [
      [{ topic: "" }, /ConfigError: Invalid value {2}for configuration topic: String must be non-empty/],
      [{ "connector.class": "org.x.Y" }, /Failed to find any class that implements Connector/],
      [{ "value.converter": "org.x.Y" }, /Class org\.x\.Y could not be found/],
      [{ fail: "openTask" }, /Error: no such table\n\s+at /],
      [{ transforms: "t" }, /transforms\.t: Missing required configuration "type"/],
    ];
    for (const [more, reason] of rows) {
      const host = setUp();
      await host.call("setup", setup);
      host.lease(60_000);
      await host.call("startTask", taskStart(more));
      await host.until(0, "FAILED");
      const failed = host.notices.find((notice) => notice.kind === "status" && notice.state === "FAILED");
      assert.match(failed?.kind === "status" ? (failed.trace ?? "") : "", reason);
      await host.call("stopTask", { key, timeoutMs: 1_000 });
      assert.deepEqual(host.states(0), ["FAILED"]);
    }
  });

  it("starts nothing before the lease is given (invariant 3; guard: startTask awaits lease.granted)", async () => {
    const host = setUp();
    await host.call("setup", setup);
    await host.call("startTask", taskStart());
    await assert.rejects(eventually("a state", () => host.states(0).length > 0, 50));
    host.lease(60_000);
    await host.until(0, "RUNNING");
    await host.call("stopTask", { key, timeoutMs: 1_000 });
  });

  it("counts a lease from its sending, however late it is read (invariant 3; guard: ageMs in hear)", async () => {
    const host = setUp();
    await host.call("setup", setup);
    host.lease(10_000, 9_900);
    await host.call("startTask", taskStart());
    await eventually("the end", () => host.lost() === 1, 5_000);
  });

  it("ends everything when the lease runs out: nothing is sent or stored any more, no state is told (invariant 3)", async () => {
    const host = setUp();
    await host.call("setup", setup);
    host.lease(60_000);
    await host.call("startTask", taskStart());
    await eventually("records", () => host.producer.batches.length >= 2, 5_000);
    host.lease(0);
    await eventually("the end", () => host.lost() === 1, 5_000);
    const sent = host.producer.batches.length;
    assert.equal(host.producer.closed, true);
    assert.deepEqual(host.states(0), ["RUNNING"]);
    await assert.rejects(eventually("more records", () => host.producer.batches.length > sent, 50));
  });

  it("refuses a task that runs already", async () => {
    const host = setUp();
    await host.call("setup", setup);
    host.lease(60_000);
    await host.call("startTask", taskStart());
    await assert.rejects(host.call("startTask", taskStart()), { code: "conflict" });
    await host.call("stopTask", { key, timeoutMs: 1_000 });
  });
});
