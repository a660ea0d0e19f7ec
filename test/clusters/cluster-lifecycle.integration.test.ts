import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { ConfigMaps, type Pod, Pods, StatefulSets } from "#operator/kube/resources.ts";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { eventually } from "#support/eventually.ts";
import { follow, type GrowingFile, growFile } from "#support/numbered-lines.ts";
import {
  connectorOf,
  connectSpec,
  NAMESPACE,
  type OperatedStack,
  startOperatedStack,
} from "#support/operated-stack.ts";

const CLUSTER = "long-lived";
const TOPIC = "long-lived-lines";
const PATIENCE_MS = 180_000;

const Logger = z.object({ level: z.string() });

/** What a cluster's user asks of it while it is at work, with an operator, workers in pods of a node, and Kafka, all of them real. */
describe("the life of a cluster", () => {
  let on: OperatedStack;
  let lines: GrowingFile;
  let reader: CommittedReader;

  before(async () => {
    on = await startOperatedStack({ name: "cluster-lifecycle" });
    // A worker hands over within the half of it, on a busy machine as well.
    const template = { pod: { terminationGracePeriodSeconds: 120 } };
    const spec = { ...connectSpec(CLUSTER, on.stack.bootstrap), replicas: 2, template };
    await on.create(KafkaConnects, { metadata: { name: CLUSTER }, spec });
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    lines = growFile(join(on.dir, "lines.txt"), 20);
    const config = { file: lines.file, topic: TOPIC };
    await on.create(KafkaConnectors, connectorOf(CLUSTER, "lines", { class: "file-source", tasksMax: 1, config }));
    await on.until(KafkaConnectors, "lines", /^True Running/);
    await on.seen(KafkaConnectors, "lines", "uses its topic", ({ status }) => status?.topics?.includes(TOPIC) === true);
    reader = openCommittedReader(on.stack.bootstrap, TOPIC);
  });

  after(async () => {
    lines?.stop();
    await reader?.close();
    await on?.stop();
  });

  const identity = ({ metadata, status }: Pod) =>
    `${metadata.name} ${metadata.uid} ${status?.containerStatuses?.[0]?.restartCount}`;
  const workers = async () => (await on.pods(CLUSTER)).map(identity);

  /** Waits until a line that is not written yet is in Kafka. */
  async function moves(): Promise<void> {
    const before = reader.values().length;
    await eventually("new lines are in Kafka", () => reader.values().length > before + 20, PATIENCE_MS);
  }

  /** Waits until so many workers are others than `before`, and all is well again. */
  async function replaced(before: readonly string[], count: number): Promise<void> {
    const areOthers = async () => {
      const now = await workers();
      return now.length === before.length && now.filter((one) => !before.includes(one)).length === count;
    };
    await eventually(`${count} workers are others`, areOthers, PATIENCE_MS);
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    await on.until(KafkaConnectors, "lines", /^True Running/);
    await moves();
  }

  it("replaces the worker whose pod is annotated, and then all of them, while records flow", async () => {
    const annotation = { "headrace.dev/manual-rolling-update": "true" };
    const before = await workers();
    await on.annotate(Pods, `${CLUSTER}-connect-1`, annotation);
    await replaced(before, 1);
    const between = await workers();
    assert.equal(between[0], before[0], "the other one stayed");
    await on.annotate(StatefulSets, `${CLUSTER}-connect`, annotation);
    await replaced(between, 2);
    const { metadata } = await on.get(StatefulSets, `${CLUSTER}-connect`);
    assert.equal(metadata.annotations?.["headrace.dev/manual-rolling-update"], undefined);
  });

  it("sets log levels on running workers, from the resource and from a ConfigMap, without a roll", async () => {
    const before = await workers();
    const level = async (logger: string) =>
      Logger.parse(JSON.parse((await on.rest(CLUSTER, "GET", `/admin/loggers/${logger}`)).text)).level;
    const reads = (logger: string, wanted: string) =>
      eventually(`${logger} is at ${wanted}`, async () => (await level(logger)) === wanted, PATIENCE_MS);
    const loggers = {
      "rootLogger.level": "INFO",
      "logger.herder.name": "org.apache.kafka.connect.runtime",
      "logger.herder.level": "DEBUG",
    };
    await on.patch(KafkaConnects, CLUSTER, { spec: { logging: { type: "inline", loggers } } });
    await reads("org.apache.kafka.connect.runtime", "DEBUG");
    const data = { "log4j2.properties": "rootLogger.level=WARN\n" };
    await on.create(ConfigMaps, { metadata: { name: "levels" }, data });
    const valueFrom = { configMapKeyRef: { name: "levels", key: "log4j2.properties" } };
    await on.patch(KafkaConnects, CLUSTER, { spec: { logging: { type: "external", valueFrom, loggers: null } } });
    await reads("root", "WARN");
    await reads("org.apache.kafka.connect.runtime", "WARN");
    await on.patch(ConfigMaps, "levels", { data: { "log4j2.properties": "rootLogger.level=ERROR\n" } });
    await reads("root", "ERROR");
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    assert.deepEqual(await workers(), before);
  });

  it("scales to zero and back, and goes on where it was", async () => {
    const scale = (replicas: number) =>
      on.kubectl(["scale", "-n", NAMESPACE, `kafkaconnects.headrace.dev/${CLUSTER}`, `--replicas=${replicas}`]);
    await scale(0);
    await on.until(KafkaConnects, CLUSTER, /^True ScaledToZero/);
    await on.until(KafkaConnectors, "lines", /^False ClusterScaledToZero/);
    await eventually("no worker is left", async () => (await on.pods(CLUSTER)).length === 0, PATIENCE_MS);
    await scale(1);
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    await on.until(KafkaConnectors, "lines", /^True Running/);
    await moves();
  });

  it("has lost nothing in all of it, and repeated next to nothing", async () => {
    const written = lines.stop();
    await eventually("all lines are there", () => new Set(reader.values()).size === written, PATIENCE_MS);
    const { repeats, ...rest } = follow(reader.values().map(Number));
    assert.deepEqual(rest, { arrived: written, jumps: [], returns: [] });
    // Each of its five ends was an orderly one, with its offsets committed.
    assert.deepEqual(repeats, []);
  });

  it("was told truly at every moment: nothing counted as done before it was", () => {
    assert.ok(on.statuses.versions.length > 20);
    assert.deepEqual(on.statuses.faults(), []);
  });
});
