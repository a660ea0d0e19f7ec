import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { namedObjects } from "#operator/cluster/named-objects.ts";
import { buildRole } from "#operator/cluster/role.ts";
import { kafkaConnect, kafkaConnector } from "#support/connect-objects.ts";

const config = (...values: readonly string[]) => ({
  config: Object.fromEntries(values.map((value, at) => [at, value])),
});
const at = (placeholder: string) => `$\{${placeholder}}`;

describe("namedObjects", () => {
  it("finds what the cluster and its connectors name in their own namespace", () => {
    const connect = kafkaConnect(config(`a-${at("secrets:kafka:pw")}-${at("secrets:ns/other:pw")}`));
    const connectors = [
      kafkaConnector(config(at("configmaps:ns/urls:db"), at("secrets:db:user"), "plain", at("env:X"))),
      kafkaConnector(config(at("secrets:elsewhere/loot:pw"), at("secrets:a/b/c:pw"))),
      kafkaConnector(config(at("secrets:not-here:pw")), { metadata: { labels: { "strimzi.io/cluster": "another" } } }),
      kafkaConnector(config(at("secrets:stranger:pw")), { metadata: { namespace: "strangers" } }),
    ];
    assert.deepEqual(namedObjects(connect, connectors), { secrets: ["db", "kafka", "other"], configMaps: ["urls"] });
  });

  it("knows providers by their classes, under whatever name", () => {
    const connect = kafkaConnect({
      config: {
        "config.providers": "vault, mine,secrets",
        "config.providers.mine.class": "io.strimzi.kafka.KubernetesSecretConfigProvider",
        "config.providers.vault.class": "org.example.Vault",
        "config.providers.secrets.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
      },
    });
    const connector = kafkaConnector(config(at("mine:db:pw"), at("vault:x:pw"), at("secrets:/mnt/x:pw")));
    assert.deepEqual(namedObjects(connect, [connector]), { secrets: ["db"], configMaps: [] });
  });

  it("knows no provider of Java's workers but those that the cluster names", () => {
    const connector = kafkaConnector(config(at("secrets:db:pw")));
    const providers = {
      "config.providers": "secrets",
      "config.providers.secrets.class": "io.strimzi.kafka.KubernetesSecretConfigProvider",
    };
    const found = (own: Readonly<Record<string, string>>) =>
      namedObjects(kafkaConnect({ runtime: "Jvm", config: own }), [connector]).secrets;
    assert.deepEqual(found({}), []);
    assert.deepEqual(found(providers), ["db"]);
  });

  it("is all that the workers' role allows", () => {
    const rules = (named: Parameters<typeof buildRole>[1]) => buildRole(kafkaConnect(), named).rules;
    assert.deepEqual(rules({ secrets: [], configMaps: [] }), []);
    assert.deepEqual(rules({ secrets: ["a", "b"], configMaps: [] }), [
      { apiGroups: [""], resources: ["secrets"], resourceNames: ["a", "b"], verbs: ["get"] },
    ]);
  });
});
