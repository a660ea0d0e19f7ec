import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { loadConfig } from "#runtime/config.ts";
import { sourceProducerConfig, workerClientConfig } from "#runtime/kafka/client-config.ts";

const read = (name: string) => readFileSync(new URL(`../../../examples/${name}`, import.meta.url), "utf8");

describe("the examples for Event Streams on IBM Cloud", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-examples-"));
  after(() => rmSync(dir, { recursive: true, force: true }));

  const embedded = () => {
    const documents = parseAllDocuments(read("event-streams/ibm-cloud-without-operator.yaml")).map((document) =>
      document.toJS(),
    );
    const map = documents.find((document) => document.kind === "ConfigMap");
    return String(map?.data["worker.properties"]);
  };

  for (const [name, text] of [
    ["worker-sasl-ssl.properties", () => read("worker-sasl-ssl.properties")],
    ["event-streams/ibm-cloud-without-operator.yaml", embedded],
  ] as const) {
    it(`${name} makes clients with user and API key, for both libraries`, async () => {
      const file = join(dir, `${name.replaceAll("/", "-")}.properties`);
      writeFileSync(file, text());
      const env = { API_KEY: "key;with=signs", POD_IP: "10.0.0.7" };
      const { properties } = await loadConfig(file, env, AbortSignal.timeout(60_000));
      const { settings, warnings } = workerClientConfig(properties, "configs");
      assert.deepEqual(settings.sasl, { mechanism: "plain", username: "token", password: "key;with=signs" });
      assert.ok(settings.tls?.verifyHostname);
      const { config } = sourceProducerConfig({ worker: properties, connectorConfig: {}, connector: "c", task: 0 });
      assert.deepEqual([config["security.protocol"], config["sasl.password"]], ["sasl_ssl", "key;with=signs"]);
      assert.deepEqual(warnings, []);
    });
  }
});
