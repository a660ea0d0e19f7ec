import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { StringMap } from "@headrace/contract";
import type { TaskKey, TaskStart } from "#runtime/executor/channel.ts";
import { machineClockMs } from "#runtime/executor/machine-clock.ts";
import { adminConfig, dlqProducerConfig } from "#runtime/kafka/client-config.ts";
import { openRecordProducer } from "#runtime/kafka/native-producer.ts";
import { createTopicAdmin, type TopicAdmin } from "#runtime/kafka/topic-admin.ts";
import { canonicalKey } from "#runtime/task/pending-offsets.ts";
import { eventually } from "#support/eventually.ts";
import { type ExecutorProcess, forkExecutor } from "#support/executor.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { createLogRecorder } from "#support/task-run.ts";

const deadline = () => AbortSignal.timeout(60_000);

describe("tasks on a real Kafka", () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let dir: string;
  let worker: StringMap;
  let admin: TopicAdmin;
  const running = new Set<ExecutorProcess>();

  before(async () => {
    kafka = await sharedKafka();
    dir = await mkdtemp(join(tmpdir(), "headrace-tasks-"));
    worker = {
      "bootstrap.servers": kafka.bootstrap,
      "key.converter": "string",
      "value.converter": "string",
      "offset.flush.interval.ms": "100",
      "offset.flush.timeout.ms": "30000",
    };
    admin = createTopicAdmin(adminConfig(owner("test")).settings, createLogRecorder());
  });
  after(async () => {
    admin.close();
    for (const executor of running) await executor.kill();
    await kafka.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const owner = (connector: string) => ({ worker, connectorConfig: {}, connector, task: 0 });

  async function start(): Promise<ExecutorProcess> {
    const executor = await forkExecutor(worker);
    running.add(executor);
    executor.rpc.notify({ kind: "lease", ttlMs: 120_000, sentAtMs: machineClockMs() });
    return executor;
  }

  async function startTask(
    executor: ExecutorProcess,
    config: StringMap,
    more: Partial<TaskStart> = {},
  ): Promise<TaskKey> {
    const key = { connector: config["name"] ?? "", task: 0 };
    const same = { key, connectorConfig: config, taskConfig: config, taskGeneration: 1, taskCount: 1 };
    const start = { ...same, targetState: "STARTED" as const, ...more };
    await executor.rpc.call("startTask", start, deadline());
    return key;
  }

  async function produce(topic: string, values: readonly string[]): Promise<void> {
    const { config } = dlqProducerConfig(owner(topic));
    const producer = openRecordProducer({ config, reportPositions: false, stopOnFailure: false });
    const rest = { topic, partition: null, key: null, headers: null, timestamp: null };
    await producer.send(
      values.map((value) => ({ ...rest, value })),
      deadline(),
    );
    await producer.flush(deadline());
    await producer.close();
  }

  const linesOf = async (file: string) => (await readFile(file, "utf8").catch(() => "")).split("\n").slice(0, -1);
  const fileSink = (name: string, topics: string, file: string) => ({
    name,
    "connector.class": "FileStreamSink",
    topics,
    file,
  });

  it("creates a source's topic as topic.creation says", { timeout: 240_000 }, async () => {
    const name = uniqueName("created");
    const file = join(dir, "created.txt");
    await writeFile(file, "one\n");
    const executor = await start();
    await startTask(executor, {
      name,
      "connector.class": "FileStreamSource",
      file,
      topic: name,
      "topic.creation.default.partitions": "3",
      "topic.creation.default.replication.factor": "1",
      "topic.creation.default.retention.ms": "123456",
    });
    await executor.notice((each) => each.kind === "activeTopic" && each.topic === name);
    assert.equal(await admin.partitions(name, deadline()), 3);
    assert.equal(await admin.topicConfig(name, "retention.ms", deadline()), "123456");
    await executor.kill();
  });

  it("sends what a sink cannot read to the dead letter queue, and commits past it", { timeout: 240_000 }, async () => {
    const name = uniqueName("letters");
    await produce(name, ['{"a":1}', "{broken", '{"a":3}']);
    const executor = await start();
    const output = join(dir, "letters.txt");
    const key = await startTask(executor, {
      ...fileSink(name, name, output),
      "value.converter": "json",
      "value.converter.schemas.enable": "false",
      "errors.tolerance": "all",
      "errors.deadletterqueue.topic.name": `${name}-dlq`,
      "errors.deadletterqueue.topic.replication.factor": "1",
      "errors.deadletterqueue.context.headers.enable": "true",
    });
    await eventually("both good records", async () => (await linesOf(output)).length === 2);
    assert.deepEqual(await linesOf(output), ["{a=1}", "{a=3}"]);
    const dlq = join(dir, "dlq.txt");
    await startTask(executor, fileSink(`${name}-reader`, `${name}-dlq`, dlq));
    await eventually("the dead letter", async () => (await linesOf(dlq)).length === 1);
    assert.deepEqual(await linesOf(dlq), ["{broken"]);
    await executor.rpc.call("stopTask", { key, timeoutMs: 30_000 }, deadline());
    const committed = await admin.groupOffsets(`connect-${name}`, deadline());
    assert.deepEqual(committed, [{ topic: name, partition: 0, offset: 3n }]);
    await executor.kill();
  });

  it("loses nothing when its executor is killed at any moment (invariant 6)", { timeout: 240_000 }, async () => {
    const name = uniqueName("killed");
    const input = join(dir, "killed.txt");
    const lines: string[] = [];
    // However fast the task is, each executor has something to do.
    async function addLines(): Promise<void> {
      const more = Array.from({ length: 200_000 }, (_, index) => `line ${lines.length + index}`);
      for (const line of more) lines.push(line);
      await appendFile(input, `${more.join("\n")}\n`);
    }
    const source = { name, "connector.class": "FileStreamSource", file: input, topic: name };
    const stored = canonicalKey({ filename: input });
    let position = 0;
    for (let round = 0; round < 3; round += 1) {
      await addLines();
      const executor = await start();
      if (position > 0) executor.offsets.set(stored, { position });
      await startTask(executor, source);
      await eventually("progress", () => Number(executor.offsets.get(stored)?.["position"] ?? 0) > position);
      await executor.kill();
      position = Number(executor.offsets.get(stored)?.["position"]);
    }
    await addLines();
    const last = await start();
    last.offsets.set(stored, { position });
    const key = await startTask(last, source);
    const end = Buffer.byteLength(`${lines.join("\n")}\n`);
    await eventually("the end of the file", () => last.offsets.get(stored)?.["position"] === end);
    await last.rpc.call("stopTask", { key, timeoutMs: 30_000 }, deadline());
    const output = join(dir, "killed-out.txt");
    await startTask(last, fileSink(`${name}-sink`, name, output));
    await eventually("all lines", async () => new Set(await linesOf(output)).size === lines.length);
    await last.kill();
  });

  it("takes a dead predecessor's partitions over at once", { timeout: 240_000 }, async () => {
    const name = uniqueName("evict");
    const output = join(dir, "evict.txt");
    await produce(name, ["one"]);
    const first = await start();
    await startTask(first, fileSink(name, name, output));
    await eventually("the first record", async () => (await linesOf(output)).length === 1);
    await eventually("its commit", async () => (await admin.groupOffsets(`connect-${name}`, deadline())).length === 1);
    await first.kill();
    const second = await start();
    await produce(name, ["two"]);
    const startedAt = performance.now();
    await startTask(second, fileSink(name, name, output), { evictPredecessor: true });
    await eventually("the second record", async () => (await linesOf(output)).length === 2);
    assert.ok(performance.now() - startedAt < 30_000, "the dead member's session would have lasted 45 s");
    assert.deepEqual(await linesOf(output), ["one", "two"]);
    await second.kill();
  });

  it("fails a source whose record is too large, and keeps the offset before it", { timeout: 240_000 }, async () => {
    const name = uniqueName("large");
    const file = join(dir, "large.txt");
    await writeFile(file, "small\n");
    const executor = await start();
    const key = await startTask(executor, {
      name,
      "connector.class": "FileStreamSource",
      file,
      topic: name,
      "batch.size": "1",
    });
    const stored = () => executor.offsets.get(canonicalKey({ filename: file }));
    await eventually("the first offset", () => stored() !== undefined);
    await appendFile(file, `${"x".repeat(3_000_000)}\nafter\n`);
    await executor.state(key, "FAILED");
    const failed = executor.notices.find((each) => each.kind === "status" && each.state === "FAILED");
    assert.match(failed?.kind === "status" ? (failed.trace ?? "") : "", /MSG_SIZE_TOO_LARGE/);
    await executor.rpc.call("stopTask", { key, timeoutMs: 30_000 }, deadline());
    assert.deepEqual(stored(), { position: 6 });
    await executor.kill();
  });
});
