import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { PROPERTIES_FILE } from "#operator/cluster/config-map.ts";
import { NO_CREDENTIALS } from "#operator/cluster/credentials.ts";
import { desire } from "#operator/cluster/desired.ts";
import { describeChange, type RevisionSource } from "#operator/cluster/template-change.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

function source(spec: Partial<KafkaConnectSpec> = {}): RevisionSource {
  const { template, configMap } = desire(kafkaConnect(spec), "worker:1");
  return { template, properties: configMap.data?.[PROPERTIES_FILE] ?? null };
}

describe("describeChange", () => {
  const pod = (pod: object) => ({ template: { pod } });
  const container = (connectContainer: object) => ({ template: { connectContainer } });
  const table: readonly [string, Partial<KafkaConnectSpec>, readonly string[]][] = [
    ["nothing", {}, []],
    ["the image", { image: "worker:2" }, ["image worker:1 → worker:2"]],
    ["keys of the configuration", { config: { "a=b c": 1, z: 2 } }, ["config a=b c, z"]],
    ["resources", { resources: { limits: { memory: "1Gi" } } }, ["resources"]],
    ["the environment", container({ env: [{ name: "TOKEN", value: "secret" }] }), ["environment TOKEN"]],
    ["probes, once", { livenessProbe: { periodSeconds: 3 }, readinessProbe: { periodSeconds: 3 } }, ["probes"]],
    ["volumes", pod({ volumes: [{ name: "a", emptyDir: {} }] }), ["volumes"]],
    [
      "labels and annotations",
      pod({ metadata: { labels: { a: "1" }, annotations: { b: "1" } } }),
      ["label a", "annotation b"],
    ],
    ["other fields by their names", pod({ priorityClassName: "high" }), ["priorityClassName"]],
  ];
  for (const [what, spec, words] of table) {
    it(`names ${what}`, () => assert.deepEqual(describeChange(source(), source(spec)), words));
  }

  it("names values that are read elsewhere", () => {
    const given = {
      credentials: NO_CREDENTIALS,
      operator: null,
      named: { secrets: [], configMaps: [] },
      loggingText: null,
    };
    const withHash = (hash: string): RevisionSource => {
      const values = { hash, problems: [], warnings: [] };
      return { template: desire(kafkaConnect(), "worker:1", { ...given, values }).template, properties: null };
    };
    const words = ["values of Secrets or ConfigMaps that the configuration reads"];
    assert.deepEqual(describeChange(withHash("a"), withHash("b")), words);
    assert.deepEqual(describeChange(withHash("a"), withHash("a")), []);
  });

  it("names what is in Secrets", () => {
    const around = { operator: null, named: { secrets: [], configMaps: [] }, loggingText: null };
    const jvm = kafkaConnect({ runtime: "Jvm", image: "kafka", jmxOptions: { authentication: { type: "password" } } });
    const started = (hash: string, jmxHash: string): RevisionSource => {
      const credentials = { ...NO_CREDENTIALS, hash };
      return { template: desire(jvm, "worker:1", { ...around, credentials, jmxHash }).template, properties: null };
    };
    assert.deepEqual(describeChange(started("a", "a"), started("b", "b")), [
      "credentials for Kafka",
      "user or password of JMX",
    ]);
  });

  it("shows no value", () => {
    const words = describeChange(source({ config: { password: "one" } }), source({ config: { password: "two" } }));
    assert.deepEqual(words, ["config password"]);
  });
});
