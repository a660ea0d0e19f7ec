import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type KafkaConnector, KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { type ConfigMap, ConfigMaps } from "#operator/kube/resources.ts";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { TEN_LINES, usesTopic, writeTenLines } from "#support/connector-requests.ts";
import { eventually } from "#support/eventually.ts";
import {
  connectorOf,
  connectSpec,
  NAMESPACE,
  type OperatedStack,
  startOperatedStack,
} from "#support/operated-stack.ts";

const HERE = "end-here";
const AWAY = "end-away";
const REMEMBERED = "headrace-removed-connectors";
const PATIENCE_MS = 180_000;

/**
 * What becomes of connectors whose KafkaConnectors are deleted: while their cluster answers, while it is away, after it is gone. Operator, workers and
 * Kafka are real.
 */
describe("the end of connectors", () => {
  let on: OperatedStack;
  const readers = new Map<string, CommittedReader>();

  before(async () => {
    on = await startOperatedStack({ name: "connector-end" });
    await Promise.all([HERE, AWAY].map(makeCluster));
    for (const name of ["left", "stays"]) await makeLines(AWAY, name, { resetOffsetsOnDelete: name === "left" });
    // What takes a minute begins here, and is looked at below.
    await scale(AWAY, 0);
    await on.until(KafkaConnects, AWAY, /^True ScaledToZero/);
    await on.until(KafkaConnectors, "left", /^False ClusterScaledToZero/);
    await askForEnd("left");
  });

  after(async () => {
    for (const reader of readers.values()) await reader.close();
    await on?.stop();
  });

  const signal = () => AbortSignal.timeout(60_000);
  const key = (name: string) => ({ namespace: NAMESPACE, name });
  const find = (name: string) => on.kube.get(KafkaConnectors, key(name), signal());
  const askForEnd = (name: string) => on.kube.delete(KafkaConnectors, key(name), {}, signal());
  const scale = (cluster: string, replicas: number) => on.patch(KafkaConnects, cluster, { spec: { replicas } });
  const running = (name: string) => on.until(KafkaConnectors, name, /^True Running/);
  const fileOf = (name: string) => join(on.dir, `${name}.txt`);
  const topicOf = (name: string) => `end-${name}`;
  const values = (name: string) => readers.get(name)?.values() ?? [];

  async function makeCluster(name: string): Promise<void> {
    await on.create(KafkaConnects, { metadata: { name }, spec: connectSpec(name, on.stack.bootstrap) });
    await on.until(KafkaConnects, name, /^True Ready/);
  }

  /** Makes a source of ten lines and waits until they are in Kafka, and their offset, too; `more` is what its spec has besides. */
  async function makeLines(cluster: string, name: string, more: object): Promise<void> {
    writeTenLines(fileOf(name));
    await makeAgain(cluster, name, more);
    await usesTopic(on, name, topicOf(name));
    readers.set(name, openCommittedReader(on.stack.bootstrap, topicOf(name)));
    await come(name, TEN_LINES);
    await committed(cluster, name);
  }

  async function makeAgain(cluster: string, name: string, more: object): Promise<void> {
    const config = { file: fileOf(name), topic: topicOf(name) };
    await on.create(
      KafkaConnectors,
      connectorOf(cluster, name, { class: "file-source", tasksMax: 1, config, ...more }),
    );
    await running(name);
  }

  async function come(name: string, lines: readonly string[]): Promise<void> {
    await eventually(`${name} has ${lines.length} lines`, () => values(name).length >= lines.length, PATIENCE_MS);
    assert.deepEqual(values(name), lines);
  }

  const committed = (cluster: string, name: string) =>
    eventually(`the offset of ${name} is stored`, async () =>
      (await on.rest(cluster, "GET", `/connectors/${name}/offsets`)).text.includes('"position":20'),
    );
  /** What a worker answers about a connector. */
  const answers = async (cluster: string, name: string) =>
    (await on.rest(cluster, "GET", `/connectors/${name}`)).status;
  const isGone = (name: string) => eventually(`${name} is gone`, async () => (await find(name)) === null, PATIENCE_MS);

  /** The names of the connectors whose deletion is remembered. */
  async function remembered(): Promise<readonly string[]> {
    const map = await on.kube.get(ConfigMaps, key(REMEMBERED), signal());
    return Object.values(map?.data ?? {})
      .map((text): string => JSON.parse(text).connector)
      .toSorted();
  }

  /** The ConfigMap with what a connector's offsets were. */
  async function snapshotOf(name: string): Promise<ConfigMap> {
    const maps = await on.kube.list(ConfigMaps, NAMESPACE, null, signal());
    const found = maps.filter(({ metadata }) => metadata.name.startsWith(`${name}-offsets-`));
    assert.equal(found.length, 1, found.map(({ metadata }) => metadata.name).join());
    return found[0] ?? assert.fail();
  }

  const offsetOf = (name: string) => ({
    offsets: [{ partition: { filename: fileOf(name) }, offset: { position: 20 } }],
  });

  async function keptOffsets(name: string): Promise<void> {
    const { data, metadata } = await snapshotOf(name);
    assert.deepEqual(JSON.parse(data?.["offsets.json"] ?? ""), offsetOf(name));
    assert.equal(metadata.ownerReferences, undefined, "it stays when its connector goes");
  }

  it("waits, and says so, while the cluster is away", async () => {
    const waits = ({ metadata, status }: KafkaConnector) =>
      metadata.deletionTimestamp !== undefined &&
      status?.conditions?.some(({ type, reason }) => type === "Ready" && reason === "Deleting") === true;
    await on.seen(KafkaConnectors, "left", "is being deleted", waits);
    assert.deepEqual(await remembered(), []);
  });

  it("takes the offsets with it where that was asked for, and keeps what they were", async () => {
    await makeLines(HERE, "resets", { resetOffsetsOnDelete: true });
    await on.remove(KafkaConnectors, "resets");
    assert.equal(await answers(HERE, "resets"), 404);
    await keptOffsets("resets");
    await makeAgain(HERE, "resets", {});
    await come("resets", [...TEN_LINES, ...TEN_LINES]);
    await on.remove(KafkaConnectors, "resets");
  });

  it("leaves the offsets otherwise: one of the same name goes on there", async () => {
    await makeLines(HERE, "goes-on", {});
    await on.remove(KafkaConnectors, "goes-on");
    assert.equal(await answers(HERE, "goes-on"), 404);
    await makeAgain(HERE, "goes-on", {});
    appendFileSync(fileOf("goes-on"), "10\n");
    await come("goes-on", [...TEN_LINES, "10"]);
    await on.remove(KafkaConnectors, "goes-on");
  });

  it("is none with deletionPolicy Orphan: the connector stays at work", async () => {
    await makeLines(HERE, "orphan", { deletionPolicy: "Orphan" });
    await on.remove(KafkaConnectors, "orphan");
    assert.equal(await answers(HERE, "orphan"), 200);
    appendFileSync(fileOf("orphan"), "10\n");
    await come("orphan", [...TEN_LINES, "10"]);
    assert.deepEqual(await remembered().then((names) => names.filter((name) => name === "orphan")), []);
  });

  it("does not wait for a cluster for ever: the resource goes, and what is left behind is told and remembered", async () => {
    await isGone("left");
    assert.deepEqual(await remembered(), ["left"]);
    const told = `Connector left stays on KafkaConnect ${AWAY}, which could not be reached for 60 s; it is deleted there when the cluster is back.`;
    await eventually("it is told", async () => (await on.events("ConnectorLeftBehind")).includes(told));
    assert.notEqual(await find("stays"), null);
  });

  it("is made up for when the cluster is back, with the offsets, and nothing else is touched", async () => {
    await scale(AWAY, 1);
    await on.until(KafkaConnects, AWAY, /^True Ready/);
    await eventually("the connector is gone", async () => (await answers(AWAY, "left")) === 404, PATIENCE_MS);
    await eventually("that is remembered no more", async () => (await remembered()).length === 0);
    const told = "Connector left was deleted: its KafkaConnector was, while this cluster could not be reached.";
    await eventually("it is told", async () => (await on.events("ConnectorDeleted")).includes(told));
    await keptOffsets("left");
    await running("stays");
    assert.equal(await answers(AWAY, "stays"), 200);
    await makeAgain(AWAY, "left", {});
    await come("left", [...TEN_LINES, ...TEN_LINES]);
    assert.deepEqual(values("stays"), TEN_LINES);
  });

  it("comes at once when the cluster itself was deleted before, and none comes back with it", async () => {
    await on.remove(KafkaConnects, AWAY);
    await on.until(KafkaConnectors, "stays", /^False ClusterNotFound/);
    const before = (await on.events("ConnectorLeftBehind")).length;
    await on.remove(KafkaConnectors, "stays");
    assert.equal((await on.events("ConnectorLeftBehind")).length, before, "nobody has waited");
    assert.deepEqual(await remembered(), ["stays"]);
    await eventually("its workers are gone", async () => (await on.pods(AWAY)).length === 0, PATIENCE_MS);

    await makeCluster(AWAY);
    await eventually("it is gone from the topics", async () => (await answers(AWAY, "stays")) === 404, PATIENCE_MS);
    await eventually("that is remembered no more", async () => (await remembered()).length === 0);
    await running("left");
    assert.equal(await answers(AWAY, "left"), 200, "somebody asks for it");
  });

  it("was told truly at every moment: nothing counted as done before it was", () => {
    assert.ok(on.statuses.versions.length > 20);
    assert.deepEqual(on.statuses.faults(), []);
  });
});
