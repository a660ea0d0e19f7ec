import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { convert, type Manifest, type Note, splitBySchema, type Target, toManifest } from "@headrace/contract";
import fc from "fast-check";
import { z } from "zod";

function one(
  value: unknown,
  to: Target,
  cluster?: string,
): { readonly manifest: Manifest; readonly notes: readonly Note[] } {
  const [document] = convert(value, { to, cluster }, new Set());
  assert.equal(document?.kind, "resource");
  return document;
}

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}[a-z0-9]$/);
const topic = fc.stringMatching(/^[A-Za-z][A-Za-z0-9._-]{0,20}$/);
const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean());
const key = fc.stringMatching(/^x\.[a-z][a-z.]{0,15}$/);
const config = fc.dictionary(key, scalar, { maxKeys: 6 });
const labels = fc.dictionary(fc.constantFrom("team", "app.kubernetes.io/name", "env"), word, { minKeys: 1 });
/** Fields that may be missing are left out, as in a file. */
const clusterSpec = fc.record(
  {
    version: fc.constant("4.1.0"),
    replicas: fc.nat(20),
    bootstrapServers: fc.constantFrom("kafka:9092", "a:1,b:2"),
    groupId: topic,
    configStorageTopic: topic,
    offsetStorageTopic: topic,
    statusStorageTopic: topic,
    config: config.filter((values) => Object.keys(values).length > 0),
    resources: fc.constant({ limits: { memory: "1Gi" }, requests: { cpu: "100m" } }),
    livenessProbe: fc.constant({ periodSeconds: 3 }),
    template: fc.constant({
      pod: { affinity: { nodeAffinity: {} }, tolerations: [{ key: "a" }], metadata: { labels: { a: "b" } } },
      connectContainer: { env: [{ name: "A", value: "b" }] },
    }),
  },
  {
    requiredKeys: [
      "replicas",
      "bootstrapServers",
      "groupId",
      "configStorageTopic",
      "offsetStorageTopic",
      "statusStorageTopic",
    ],
  },
);
const connectorSpec = fc.record(
  {
    class: fc.constantFrom("file-source", "org.apache.kafka.connect.file.FileStreamSourceConnector"),
    tasksMax: fc.integer({ min: 1, max: 50 }),
    version: fc.constantFrom("1.0.0", "[1.0,2.0)"),
    config,
    state: fc.constantFrom("running", "paused", "stopped"),
  },
  { requiredKeys: ["class", "tasksMax"] },
);

function cluster(spec: object, own: Readonly<Record<string, string>>): unknown {
  return {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnect",
    metadata: { name: "c", namespace: "n", labels: own },
    spec,
  };
}

function connector(spec: object): unknown {
  const metadata = { name: "orders", namespace: "n", labels: { "headrace.dev/cluster": "c" } };
  return { apiVersion: "headrace.dev/v1", kind: "KafkaConnector", metadata, spec };
}

describe("convert there and back", () => {
  for (const target of ["strimzi", "event-streams"] as const) {
    it(`keeps clusters and connectors whole over ${target}`, () => {
      fc.assert(
        fc.property(clusterSpec, labels, connectorSpec, (clusterPart, own, connectorPart) => {
          for (const value of [cluster(clusterPart, own), connector(connectorPart)]) {
            const there = one(value, target);
            assert.deepEqual(
              there.notes.filter(({ kind }) => kind === "dropped"),
              [],
            );
            assert.deepEqual(one(there.manifest, "headrace").manifest, toManifest(value));
          }
        }),
      );
    });
  }

  it("keeps group, topics, configuration and pods over Confluent for Kubernetes", () => {
    fc.assert(
      fc.property(clusterSpec, labels, (spec, own) => {
        const { version: _, ...expected } = spec;
        const there = one(cluster(spec, own), "confluent");
        const back = one(there.manifest, "headrace").manifest;
        const strings = Object.entries(expected.config ?? {}).map(([name, value]) => [name, String(value).trim()]);
        assert.deepEqual(back.spec, {
          ...expected,
          ...(strings.length === 0 ? {} : { config: Object.fromEntries(strings) }),
        });
        assert.equal(back.metadata.name, "c");
      }),
    );
  });

  it("keeps connectors over Confluent for Kubernetes but for what its notes tell", () => {
    fc.assert(
      fc.property(connectorSpec, (spec) => {
        const there = one(connector(spec), "confluent");
        const told = there.notes.filter(({ kind }) => kind === "dropped").map(({ path }) => path);
        assert.deepEqual(told, spec.state === undefined || spec.state === "running" ? [] : ["spec.state"]);
        const { state: _, ...expected } = spec;
        const values = Object.entries(expected.config ?? {}).map(([name, value]) => [name, String(value)]);
        const back = one(there.manifest, "headrace").manifest;
        assert.deepEqual(back.spec, { ...expected, config: Object.fromEntries(values) });
        assert.deepEqual(back.metadata.labels, { "headrace.dev/cluster": "c" });
      }),
    );
  });

  it("keeps connectors over the REST API", () => {
    fc.assert(
      fc.property(connectorSpec, (spec) => {
        const [there] = convert(connector(spec), { to: "rest" }, new Set());
        assert.equal(there?.kind, "connector");
        assert.equal(there.connector.config["name"], "orders");
        const back = one(there.connector, "headrace", "c").manifest;
        const values = Object.entries(spec.config ?? {}).map(([name, value]) => [name, String(value)]);
        const { config: _, state, ...expected } = spec;
        assert.deepEqual(back.spec, {
          ...expected,
          ...(values.length === 0 ? {} : { config: Object.fromEntries(values) }),
          ...(state === undefined || state === "running" ? {} : { state }),
        });
      }),
    );
  });
});

describe("convert", () => {
  it("lists every field that has no counterpart, and keeps none of them", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^zz[a-z]{1,8}$/), scalar, { minKeys: 1, maxKeys: 4 }), (strange) => {
        const names = Object.keys(strange).map((name) => `spec.${name}`);
        for (const apiVersion of ["kafka.strimzi.io/v1", "eventstreams.ibm.com/v1", "platform.confluent.io/v1beta1"]) {
          for (const kind of apiVersion.startsWith("platform")
            ? ["Connect", "Connector"]
            : ["KafkaConnect", "KafkaConnector"]) {
            const { manifest, notes } = one({ apiVersion, kind, metadata: { name: "a" }, spec: strange }, "headrace");
            const told = notes.filter((note) => note.kind === "dropped").map(({ path }) => path);
            assert.deepEqual(told.toSorted(), names.toSorted());
            for (const name of Object.keys(strange)) assert.equal(manifest.spec[name], undefined);
          }
        }
      }),
    );
  });

  it("gives connectors whose names Kubernetes cannot have names of their own", () => {
    const names = ["My Source", "my-source", "MY_SOURCE", "ümlaut", "---"];
    const bodies = names.map((name) => ({ name, config: { "connector.class": "X", name } }));
    const converted = convert(bodies, { to: "headrace", cluster: "c" }, new Set());
    const resources = converted.map((document) =>
      document.kind === "resource" ? document.manifest.metadata.name : "",
    );
    assert.deepEqual(resources, ["my-source-2", "my-source", "my-source-3", "mlaut", "connector"]);
  });

  it("reads lists of kubectl, and passes on what is no Connect resource", () => {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, data: { a: "b" } };
    const items = [secret, connector({ class: "X" })];
    const documents = convert({ apiVersion: "v1", kind: "List", items }, { to: "strimzi" }, new Set());
    assert.deepEqual(
      documents.map(({ kind }) => kind),
      ["untouched", "resource"],
    );
    assert.equal(documents[0]?.kind === "untouched" && documents[0].value, secret);
  });

  it("moves v1beta2's settings to v1's fields, with the defaults that held", () => {
    const spec = { bootstrapServers: "k:1", config: { "group.id": "g" } };
    const { manifest, notes } = one(
      { apiVersion: "kafka.strimzi.io/v1beta2", kind: "KafkaConnect", metadata: { name: "c" }, spec },
      "headrace",
    );
    assert.deepEqual(manifest.spec, {
      bootstrapServers: "k:1",
      groupId: "g",
      configStorageTopic: "connect-cluster-configs",
      offsetStorageTopic: "connect-cluster-offsets",
      statusStorageTopic: "connect-cluster-status",
      replicas: 3,
    });
    assert.equal(notes.length, 3);
  });
});

describe("convert to a JVM runtime", () => {
  it("keeps the image that the other operator ran", () => {
    const spec = { replicas: 1, image: "example/connect:1", jvmOptions: { "-Xmx": "1g" } };
    const value = { apiVersion: "kafka.strimzi.io/v1", kind: "KafkaConnect", metadata: { name: "c" }, spec };
    const [document] = convert(value, { to: "headrace", runtime: "Jvm" }, new Set());
    assert.equal(document?.kind, "resource");
    assert.deepEqual(document.manifest.spec, { ...spec, runtime: "Jvm" });
    assert.deepEqual(document.notes, []);
  });
});

describe("splitBySchema", () => {
  const schema = z.object({
    open: z.looseObject({ known: z.string() }).optional(),
    list: z.array(z.object({ name: z.string() })).optional(),
    map: z.record(z.string(), z.unknown()).optional(),
  });

  it("knows what is open and what is not, in lists as well", () => {
    const value = { open: { other: 1 }, list: [{ name: "a", extra: 2 }], map: { anything: {} }, strange: null };
    const { kept, leftovers } = splitBySchema(schema, value, "spec");
    assert.deepEqual(kept, { open: { other: 1 }, list: [{ name: "a" }], map: { anything: {} } });
    assert.deepEqual(leftovers, [
      { path: "spec.list[0].extra", value: 2 },
      { path: "spec.strange", value: null },
    ]);
  });
});
