import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { InvalidConfigError } from "#runtime/config.ts";
import { parseClusterFile } from "#runtime/standalone/cluster-file.ts";
import { parseConnector, readConnectorFile } from "#runtime/standalone/connector-files.ts";
import { checkStandaloneConfig } from "#runtime/standalone/standalone-config.ts";

const signal = AbortSignal.timeout(60_000);

describe("a connector's file", () => {
  for (const [what, text, initialState] of [
    [
      "JSON as for POST /connectors",
      '{"name":"c","config":{"connector.class":"x","tasks.max":2},"initial_state":"PAUSED"}',
      "PAUSED",
    ],
    [
      "JSON as for POST /connectors, the name in its config",
      '{"config":{"name":"c","connector.class":"x","tasks.max":"2"}}',
      null,
    ],
    ["JSON of keys and values", '{"name":"c","connector.class":"x","tasks.max":"2"}', null],
    ["properties", "name=c\nconnector.class = x\ntasks.max:2\n", null],
  ] as const) {
    it(`may be ${what}`, () => {
      const config = { name: "c", "connector.class": "x", "tasks.max": "2" };
      assert.deepEqual(parseConnector("file", text), { name: "c", config, initialState });
    });
  }

  for (const [what, text, message] of [
    ["without a name", '{"connector.class":"x"}', /Connector file f has no name/],
    ["that is neither", "{ not json", /Connector file f has no name/],
    ["with a list", '{"name":"c","topics":["a"]}', /has the key topics, which must be a string/],
    ["with an unknown state", '{"name":"c","config":{},"initial_state":"ASLEEP"}', /none of RUNNING, PAUSED, STOPPED/],
  ] as const) {
    it(`is refused ${what}`, () => {
      assert.throws(() => parseConnector("f", text), { code: "bad-request", message });
    });
  }

  it("is refused by name when it is not there", () => {
    assert.throws(() => readConnectorFile("/nowhere/c.json"), {
      code: "bad-request",
      message: /\/nowhere\/c\.json cannot be read/,
    });
  });
});

describe("a YAML file of resources", () => {
  const cluster = (more = "") => `apiVersion: headrace.io/v1
kind: KafkaConnect
metadata: { name: c }
spec:
  bootstrapServers: kafka:9092
  groupId: g
  configStorageTopic: a
  offsetStorageTopic: b
  statusStorageTopic: d
  config:
    group.id: mine
    security.protocol: SSL
    offset.flush.interval.ms: 1000
${more}`;

  it("gives a worker and its connectors, as the operator does", () => {
    const file = parseClusterFile(
      "/x/c.yaml",
      `${cluster()}---
apiVersion: headrace.io/v1
kind: KafkaConnector
metadata: { name: one }
spec: { class: datagen, tasksMax: 3, state: stopped, config: { topic: t } }
---
kind: Secret
`,
    );
    assert.equal(file.worker.properties["bootstrap.servers"], "kafka:9092");
    assert.equal(file.worker.properties["offset.flush.interval.ms"], "1000");
    assert.equal(file.worker.properties["offset.storage.file.filename"], "/x/c.yaml.offsets");
    assert.equal(file.worker.properties["group.id"], undefined);
    assert.equal(file.worker.properties["security.protocol"], "SSL");
    assert.deepEqual(file.connectors, [
      {
        name: "one",
        config: { topic: "t", name: "one", "connector.class": "datagen", "tasks.max": "3" },
        initialState: "STOPPED",
      },
    ]);
    assert.equal(file.warnings.length, 2);
  });

  it("is refused with every problem by resource", () => {
    const text = `${cluster("    bad: [1]\n")}---\nkind: KafkaConnector\napiVersion: v\nmetadata: { name: one }\nspec: {}\n`;
    assert.throws(() => parseClusterFile("f", text), /document 2 \(KafkaConnector\): spec\.class/);
    assert.throws(() => parseClusterFile("f", cluster("    bad: [1]\n")), /spec\.config bad must be a string/);
    assert.throws(() => parseClusterFile("f", "a: b: c"), InvalidConfigError);
    assert.throws(() => parseClusterFile("f", "kind: Pod"), /must have one KafkaConnect, it has 0/);
  });

  it("is the example, which is also for kubectl apply", () => {
    const path = new URL("../../../examples/standalone.yaml", import.meta.url);
    const { connectors, warnings } = parseClusterFile("standalone.yaml", readFileSync(path, "utf8"));
    assert.deepEqual([connectors.length > 0, warnings], [true, []]);
  });
});

describe("the worker's properties in standalone mode", () => {
  const properties = {
    "key.converter": "string",
    "value.converter": "string",
    "offset.storage.file.filename": "/tmp/o",
    "group.id": "",
    "exactly.once.source.support": "enabled",
  };

  it("need a file for offsets and nothing of a group", async () => {
    const loaded = await checkStandaloneConfig({ file: "f", properties }, {}, signal);
    assert.equal(loaded.offsetFile, "/tmp/o");
    assert.equal(loaded.properties["exactly.once.source.support"], undefined);
    assert.equal(loaded.config["exactly.once.source.support"], "disabled");
    const { "offset.storage.file.filename": _, ...without } = properties;
    await assert.rejects(checkStandaloneConfig({ file: "f", properties: without }, {}, signal), {
      message: /offset\.storage\.file\.filename is required/,
    });
  });
});
