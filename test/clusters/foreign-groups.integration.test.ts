import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { waitUntilEstablished } from "#dev/established.ts";
import type { Kubectl } from "#dev/kubectl.ts";
import { strimziCrds } from "#dev/setup/strimzi.ts";
import { type ForeignApi, type ForeignObject, parseForeignApi } from "#operator/foreign/dialect.ts";
import { ConfigMaps, StatefulSets } from "#operator/kube/resources.ts";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { eventually } from "#support/eventually.ts";
import { follow, type GrowingFile, growFile, numbersIn } from "#support/numbered-lines.ts";
import { connectSpec, NAMESPACE, type OperatedStack, startOperatedStack } from "#support/operated-stack.ts";

const STRIMZI = apiOf("kafka.strimzi.io/v1");
const EVENT_STREAMS = apiOf("eventstreams.ibm.com/v1beta2");
const FILE_SOURCE = "org.apache.kafka.connect.file.FileStreamSourceConnector";
const FILE_SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector";
const PATIENCE_MS = 180_000;

function apiOf(name: string): ForeignApi {
  const api = parseForeignApi(name);
  assert.ok(api !== undefined, name);
  return api;
}

const Instance = z.looseObject({ state: z.string() });

const ConnectStatus = z.strictObject({
  conditions: z.array(z.looseObject({ type: z.string(), message: z.string().optional() })),
  observedGeneration: z.number(),
  url: z.string(),
  connectorPlugins: z.array(z.looseObject({ class: z.string(), type: z.string() })),
  replicas: z.number(),
  labelSelector: z.string(),
});

const ConnectorStatus = z.strictObject({
  conditions: z.array(z.looseObject({ type: z.string() })),
  observedGeneration: z.number(),
  connectorStatus: z.looseObject({ connector: Instance, tasks: z.array(Instance), type: z.string() }),
  tasksMax: z.number(),
  topics: z.array(z.string()),
});

/**
 * Resources of other operators where they are, with workers in pods of a node, and Kafka, all of them real. The schemas are Strimzi's own;
 * Event Streams, which is Strimzi's operator under another name, has its v1beta2 under another group.
 */
describe("resources of other groups, with workers", () => {
  let on: OperatedStack;
  const growing: GrowingFile[] = [];
  const readers: CommittedReader[] = [];

  before(async () => {
    on = await startOperatedStack({
      name: "foreign-groups",
      env: { HEADRACE_FOREIGN_APIS: "kafka.strimzi.io,eventstreams.ibm.com/v1beta2" },
      prepare: installForeign,
    });
  });

  after(async () => {
    for (const file of growing) file.stop();
    for (const reader of readers) await reader.close();
    await on?.stop();
  });

  async function installForeign(kubectl: Kubectl): Promise<void> {
    const [strimzi, old] = await Promise.all([strimziCrds("v1"), strimziCrds("v1beta2")]);
    const eventStreams = old.replaceAll(STRIMZI.dialect.group, EVENT_STREAMS.dialect.group);
    for (const input of [strimzi, eventStreams]) await kubectl(["apply", "--server-side", "-f", "-"], { input });
    const names = [STRIMZI, EVENT_STREAMS].flatMap(({ connects, connectors }) =>
      [connects, connectors].map(({ plural, group }) => `${plural}.${group}`),
    );
    await waitUntilEstablished(kubectl, ["crd", ...names]);
    const rights = fileURLToPath(new URL("../../dev/manifests/operator-rbac-foreign.yaml", import.meta.url));
    await kubectl(["apply", "--server-side", "-f", rights]);
  }

  const metadata = (api: ForeignApi, name: string, cluster: string) => ({
    name,
    labels: { [`${api.dialect.prefix}/cluster`]: cluster },
  });
  const claimed = (name: string) => ({ name, annotations: { "headrace.dev/managed": "true" } });

  function grow(name: string): GrowingFile {
    const file = growFile(join(on.dir, name), 20);
    growing.push(file);
    return file;
  }

  /** The rest of a connector's status is there once its topic is known. */
  async function statusWith(api: ForeignApi, name: string, topic: string) {
    const has = ({ status }: ForeignObject) => ConnectorStatus.safeParse(status).data?.topics.includes(topic) === true;
    return ConnectorStatus.parse((await on.seen(api.connectors, name, `uses ${topic}`, has)).status);
  }

  it("runs a cluster and connectors of kafka.strimzi.io/v1 that are claimed, and tells so in their status", async () => {
    const file = grow("strimzi.txt");
    const out = join(on.dir, "strimzi-out.txt");
    const spec = connectSpec("strimzi", on.stack.bootstrap);
    const theirs = { version: "4.1.0", image: "quay.io/strimzi/kafka:1.2.0-kafka-4.1.0", jvmOptions: { "-Xmx": "1g" } };
    await on.create(STRIMZI.connects, {
      metadata: { name: "unclaimed" },
      spec: connectSpec("unclaimed", "nowhere:9092"),
    });
    await on.create(STRIMZI.connects, { metadata: claimed("strimzi"), spec: { ...spec, ...theirs } });
    const connect = await on.until(STRIMZI.connects, "strimzi", /^True Ready/);
    const status = ConnectStatus.parse(connect.status);
    assert.equal(status.replicas, 1);
    assert.match(status.url, /^https:\/\/strimzi-connect-api\.default\.svc:8083$/);
    const plugins = status.connectorPlugins.map((plugin) => plugin.class);
    assert.ok(plugins.includes("file-source"), plugins.join());
    const warnings = status.conditions.filter(({ type }) => type === "Warning").map(({ message }) => message);
    assert.match(warnings.join("\n"), /spec\.image .*quay\.io\/strimzi\/kafka:1\.2\.0-kafka-4\.1\.0/);

    const topic = "strimzi-lines";
    const [source, sink] = ["strimzi-source", "strimzi-sink"].map((name) => metadata(STRIMZI, name, "strimzi"));
    const base = { tasksMax: 1, autoRestart: { enabled: true } };
    await on.create(STRIMZI.connectors, {
      metadata: source,
      spec: { ...base, class: FILE_SOURCE, config: { file: file.file, topic } },
    });
    await on.until(STRIMZI.connectors, "strimzi-source", /^True Running/);
    const told = await statusWith(STRIMZI, "strimzi-source", topic);
    assert.equal(told.connectorStatus.type, "source");
    assert.deepEqual(
      [told.connectorStatus.connector, ...told.connectorStatus.tasks].map(({ state }) => state),
      ["RUNNING", "RUNNING"],
    );
    await on.create(STRIMZI.connectors, {
      metadata: sink,
      spec: { ...base, class: FILE_SINK, config: { file: out, topics: topic } },
    });
    await on.until(STRIMZI.connectors, "strimzi-sink", /^True Running/);
    await eventually("lines come out", () => existsSync(out) && numbersIn(out).length > 20, PATIENCE_MS);

    const annotations = { "strimzi.io/restart": "true" };
    await on.annotate(STRIMZI.connectors, "strimzi-source", annotations);
    const isObeyed = (object: ForeignObject) => object.metadata.annotations?.["strimzi.io/restart"] === undefined;
    await on.seen(STRIMZI.connectors, "strimzi-source", "is restarted", isObeyed);
    await on.patch(STRIMZI.connectors, "strimzi-source", { spec: { state: "stopped" } });
    await on.until(STRIMZI.connectors, "strimzi-source", /^True Stopped/);
    await on.patch(STRIMZI.connectors, "strimzi-source", { spec: { state: "running" } });
    await on.until(STRIMZI.connectors, "strimzi-source", /^True Running/);
    const written = file.stop();
    await eventually("all lines come out", () => new Set(numbersIn(out)).size === written, PATIENCE_MS);
    const { jumps, returns } = follow(numbersIn(out));
    assert.deepEqual({ jumps, returns }, { jumps: [], returns: [] });

    const unclaimed = await on.get(STRIMZI.connects, "unclaimed");
    assert.equal(unclaimed.status, undefined);
    const key = { namespace: NAMESPACE, name: "unclaimed-connect" };
    assert.equal(await on.kube.get(StatefulSets, key, AbortSignal.timeout(60_000)), null);
  });

  it("brings eventstreams.ibm.com/v1beta2 to today's fields: group and topics, environment, pause", async () => {
    const file = grow("event-streams.txt");
    const topic = "event-streams-lines";
    await on.create(ConfigMaps, { metadata: { name: "places" }, data: { topic } });
    const { config, replicas, bootstrapServers } = connectSpec("", on.stack.bootstrap);
    const group = {
      "group.id": "event-streams",
      "config.storage.topic": "event-streams-c",
      "offset.storage.topic": "event-streams-o",
      "status.storage.topic": "event-streams-s",
    };
    const env = [{ name: "TOPIC", valueFrom: { configMapKeyRef: { name: "places", key: "topic" } } }];
    const spec = { replicas, bootstrapServers, config: { ...config, ...group }, externalConfiguration: { env } };
    await on.create(EVENT_STREAMS.connects, { metadata: claimed("event-streams"), spec });
    const connect = await on.until(EVENT_STREAMS.connects, "event-streams", /^True Ready/);
    assert.equal(ConnectStatus.parse(connect.status).replicas, 1);

    const source = { class: FILE_SOURCE, tasksMax: 1, config: { file: file.file, topic: `\${env:TOPIC}` } };
    await on.create(EVENT_STREAMS.connectors, {
      metadata: metadata(EVENT_STREAMS, "es-source", "event-streams"),
      spec: { ...source, pause: true },
    });
    await on.until(EVENT_STREAMS.connectors, "es-source", /^True Paused/);
    await on.patch(EVENT_STREAMS.connectors, "es-source", { spec: { pause: false } });
    await on.until(EVENT_STREAMS.connectors, "es-source", /^True Running/);
    await statusWith(EVENT_STREAMS, "es-source", topic);
    const reader = openCommittedReader(on.stack.bootstrap, topic);
    readers.push(reader, openCommittedReader(on.stack.bootstrap, "event-streams-c"));
    const written = file.stop();
    await eventually("all lines are there", () => new Set(reader.values()).size === written, PATIENCE_MS);
    assert.deepEqual(
      reader.values(),
      Array.from({ length: written }, (_, number) => String(number)),
    );
    await eventually("its connector is in the topic that config named", () =>
      readers.at(-1)?.records.some(({ key }) => key === "connector-es-source"),
    );
    assert.deepEqual((await on.get(EVENT_STREAMS.connectors, "es-source")).spec, { ...source, pause: false });
  });

  it("gives a cluster back when it is claimed no more, and leaves it at work", async () => {
    const before = await on.pods("strimzi");
    const { spec, metadata: held } = await on.get(STRIMZI.connectors, "strimzi-sink");
    assert.deepEqual(held.finalizers, ["headrace.dev/connector"]);
    await on.patch(STRIMZI.connects, "strimzi", { metadata: { annotations: { "headrace.dev/managed": null } } });
    const isFree = ({ metadata: { finalizers } }: ForeignObject) => (finalizers ?? []).length === 0;
    for (const name of ["strimzi-source", "strimzi-sink"]) await on.seen(STRIMZI.connectors, name, "is let go", isFree);
    const { status } = await on.rest("strimzi", "GET", "/connectors/strimzi-sink/status");
    assert.equal(status, 200);
    const uids = (pods: typeof before) => pods.map(({ metadata: { uid } }) => uid);
    assert.deepEqual(uids(await on.pods("strimzi")), uids(before));
    assert.deepEqual((await on.get(STRIMZI.connectors, "strimzi-sink")).spec, spec);
  });
});
