import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { StringMap } from "@headrace/contract";
import { machineClockMs } from "#runtime/executor/machine-clock.ts";
import { canonicalKey } from "#runtime/task/pending-offsets.ts";
import { eventually } from "#support/eventually.ts";
import { type ExecutorProcess, forkExecutor } from "#support/executor.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";

const deadline = () => AbortSignal.timeout(60_000);

describe("executor process on a real Kafka", () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let dir: string;
  let worker: StringMap;
  const running = new Set<ExecutorProcess>();

  before(async () => {
    kafka = await sharedKafka();
    dir = await mkdtemp(join(tmpdir(), "headrace-executor-"));
    worker = {
      "bootstrap.servers": kafka.bootstrap,
      "key.converter": "org.apache.kafka.connect.storage.StringConverter",
      "value.converter": "org.apache.kafka.connect.storage.StringConverter",
      "offset.flush.interval.ms": "200",
      "offset.flush.timeout.ms": "30000",
    };
  });
  after(async () => {
    for (const executor of running) await executor.kill();
    await kafka.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function start(ttlMs = 60_000): Promise<ExecutorProcess> {
    const executor = await forkExecutor(worker);
    running.add(executor);
    executor.rpc.notify({ kind: "lease", ttlMs, sentAtMs: machineClockMs() });
    return executor;
  }

  async function startTask(executor: ExecutorProcess, config: StringMap): Promise<{ connector: string; task: number }> {
    const key = { connector: config["name"] ?? "", task: 0 };
    await executor.rpc.call(
      "startTask",
      { key, connectorConfig: config, taskConfig: config, targetState: "STARTED", taskGeneration: 1, taskCount: 1 },
      deadline(),
    );
    return key;
  }

  const sourceConfig = (name: string, file: string): StringMap => ({
    name,
    "connector.class": "FileStreamSource",
    file,
    topic: name,
  });
  const sinkConfig = (name: string, topic: string, file: string): StringMap => ({
    name,
    "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
    file,
    topics: topic,
  });

  it("moves a file through a topic into a file, and goes on where it stopped", { timeout: 240_000 }, async () => {
    const name = uniqueName("file-to-file");
    const [input, output] = [join(dir, "in.txt"), join(dir, "out.txt")];
    const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index} grüße`);
    await writeFile(input, `${lines.join("\n")}\n`);
    const executor = await start();
    const source = await startTask(executor, sourceConfig(name, input));
    await executor.state(source, "RUNNING");
    const sink = await startTask(executor, sinkConfig(`${name}-sink`, name, output));
    await executor.state(sink, "RUNNING");
    const outputLines = async () => (await readFile(output, "utf8")).split("\n").slice(0, -1);
    await eventually("all lines in the sink's file", async () => (await outputLines()).length >= lines.length);
    assert.deepEqual(await outputLines(), lines);
    await executor.notice((each) => each.kind === "activeTopic" && each.connector === name && each.topic === name);
    await executor.rpc.call("stopTask", { key: source, timeoutMs: 30_000 }, deadline());
    await executor.rpc.call("stopTask", { key: sink, timeoutMs: 30_000 }, deadline());
    const bytes = Buffer.byteLength(`${lines.join("\n")}\n`);
    assert.deepEqual(executor.offsets.get(canonicalKey({ filename: input })), { position: bytes });
    await executor.state(source, "UNASSIGNED");
    await executor.state(sink, "UNASSIGNED");

    await appendFile(input, "one more\n");
    await startTask(executor, sourceConfig(name, input));
    await startTask(executor, sinkConfig(`${name}-sink`, name, output));
    await eventually("the new line", async () => (await outputLines()).length > lines.length);
    assert.deepEqual(await outputLines(), [...lines, "one more"]);
  });

  it("ends when its lease runs out, without calling its tasks failed", { timeout: 240_000 }, async () => {
    const name = uniqueName("leased");
    const executor = await start(6_000);
    const renew = () => executor.rpc.notify({ kind: "lease", ttlMs: 6_000, sentAtMs: machineClockMs() });
    const renewing = setInterval(renew, 200);
    const config = { name, "connector.class": "datagen", topic: name, "rate.per.second": "1000" };
    try {
      const key = await startTask(executor, { ...config, "task.streams": "0,1,2,3,4,5,6,7" });
      await executor.state(key, "RUNNING");
    } finally {
      clearInterval(renewing);
    }
    assert.equal(await executor.exited, 75);
    assert.equal(
      executor.notices.some((each) => each.kind === "status" && each.state === "FAILED"),
      false,
    );
  });

  it("ends when the channel closes", { timeout: 240_000 }, async () => {
    const executor = await start();
    executor.disconnect();
    assert.equal(await executor.exited, 0);
  });
});
