import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startJvmWorker, startKafka } from "#dev/kafka.ts";
import { toKafkaJs } from "#runtime/kafka/client-config.ts";
import { createTopicLog } from "#runtime/kafka/topic-log.ts";

/**
 * Records what a worker of Apache Kafka Connect writes to its three topics into test/runtime/store/golden/*-topic.jsonl, one record
 * per line, key and value as text. Run by hand when Kafka's version changes: node --conditions=source test/interop/golden-records.ts
 */
const dir = mkdtempSync(join(tmpdir(), "headrace-golden-"));
const golden = join(import.meta.dirname, "../runtime/store/golden");
mkdirSync(golden, { recursive: true });
const kafka = await startKafka({ dir: join(dir, "kafka"), heap: "512m" });
const input = join(dir, "in.txt");
writeFileSync(input, "one\ntwo\nthree\n");
const worker = await startJvmWorker({
  dir: join(dir, "connect"),
  heap: "384m",
  properties: {
    "bootstrap.servers": kafka.bootstrap,
    "group.id": "golden",
    "config.storage.topic": "config",
    "offset.storage.topic": "offsets",
    "status.storage.topic": "status",
    "offset.flush.interval.ms": "500",
    "exactly.once.source.support": "enabled",
  },
});
const address = new URL(worker.url).host;

async function rest(method: string, path: string, body?: unknown): Promise<void> {
  const response = await fetch(`${worker.url}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  await sleep(2000); // Nothing tells when the worker has written all that follows from a request.
}

const source = { "connector.class": "FileStreamSource", "tasks.max": "1", file: input, topic: "lines" };
const sink = { "connector.class": "FileStreamSink", "tasks.max": "2", file: "/nowhere/out.txt", topics: "lines" };
await rest("POST", "/connectors", { name: "file-src", config: source });
await rest("POST", "/connectors", { name: "broken-sink", config: sink, initial_state: "STOPPED" });
await rest("PUT", "/connectors/file-src/pause");
await rest("PUT", "/connectors/file-src/resume");
await rest("PUT", "/connectors/broken-sink/resume");
await rest("POST", "/connectors/file-src/restart?includeTasks=true");
await rest("PUT", "/admin/loggers/org.example?scope=cluster", { level: "DEBUG" });
await rest("DELETE", "/connectors/broken-sink");
await worker.stop();

const { settings } = toKafkaJs({ "bootstrap.servers": kafka.bootstrap, "client.id": "golden" });
const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
for (const topic of ["config", "status", "offsets"]) {
  const lines: string[] = [];
  const log = createTopicLog({
    settings,
    topic: {
      topic,
      property: "",
      purpose: "",
      partitions: 1,
      singlePartition: false,
      replicationFactor: -1,
      configs: {},
    },
    readCommitted: true,
    log: silent,
  });
  const collect = (key: Buffer | null, value: Buffer | null) => {
    const record = JSON.stringify({ key: key?.toString() ?? null, value: value?.toString() ?? null });
    lines.push(record.replaceAll(input, "/data/in.txt").replaceAll(address, "worker-1:8083"));
  };
  await log.start((records) => {
    for (const { key, value } of records) collect(key, value);
  }, AbortSignal.timeout(30_000));
  await log.stop();
  writeFileSync(join(golden, `${topic}-topic.jsonl`), `${lines.join("\n")}\n`);
}
await kafka.stop();
rmSync(dir, { recursive: true, force: true });
