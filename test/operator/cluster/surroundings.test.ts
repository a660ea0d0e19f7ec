import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { desire } from "#operator/cluster/desired.ts";
import { buildStatefulSet } from "#operator/cluster/stateful-set.ts";
import { createSurroundings } from "#operator/cluster/surroundings.ts";
import { ConfigMaps, Secrets, type StatefulSet, StatefulSets } from "#operator/kube/resources.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";

const signal = new AbortController().signal;
const CONNECT = kafkaConnect({
  tls: { trustedCertificates: [{ secretName: "ca", certificate: "ca.crt" }] },
});

describe("createSurroundings", () => {
  it("finds the Secrets that a KafkaConnect names, in its own namespace", async () => {
    const kube = createFakeKube();
    const { of } = createSurroundings({ kube: kube.client });
    assert.deepEqual(desire(CONNECT, "i", await of(CONNECT, signal)).missing, ["Secret ca does not exist"]);
    const metadata = { namespace: "ns", name: "ca" };
    kube.put(Secrets, { apiVersion: "v1", kind: "Secret", metadata });
    assert.deepEqual(desire(CONNECT, "i", await of(CONNECT, signal)).missing, ["Secret ca has no key ca.crt"]);
    const data = { "ca.crt": Buffer.from("PEM").toString("base64") };
    kube.put(Secrets, { apiVersion: "v1", kind: "Secret", metadata, data });
    const { missing, trustSecret } = desire(CONNECT, "i", await of(CONNECT, signal));
    assert.deepEqual(missing, []);
    assert.equal(trustSecret?.metadata.name, "my-connect-connect-trusted-certs");
    assert.deepEqual(trustSecret?.data, { "ca.crt": Buffer.from("PEM\n").toString("base64") });
  });

  it("tells a Secret that the operator may not read", async () => {
    const kube = createFakeKube();
    kube.failNext("get", "forbidden", "secrets ns/ca is forbidden");
    const found = await createSurroundings({ kube: kube.client }).of(CONNECT, signal);
    assert.match(desire(CONNECT, "i", found).missing.join(), /secrets ns\/ca is forbidden/);
  });

  const READING = kafkaConnect({ config: { a: `$\{secrets:creds:pw}`, b: `$\{configmaps:urls:db}` } });

  function putSources(kube: FakeKube, pw: string): void {
    const metadata = (name: string) => ({ namespace: "ns", name });
    const data = { pw: Buffer.from(pw).toString("base64") };
    kube.put(Secrets, { apiVersion: "v1", kind: "Secret", metadata: metadata("creds"), data });
    kube.put(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: metadata("urls"), data: { db: "host" } });
  }

  it("finds the values that workers read at their start", async () => {
    const kube = createFakeKube();
    const { of } = createSurroundings({ kube: kube.client });
    assert.deepEqual(desire(READING, "i", await of(READING, signal)).missing, [
      "ConfigMap urls, from which b is read, does not exist",
      "Secret creds, from which a is read, does not exist",
    ]);
    putSources(kube, "one");
    const first = desire(READING, "i", await of(READING, signal));
    assert.deepEqual([first.missing, first.warnings], [[], []]);
    putSources(kube, "two");
    const second = desire(READING, "i", await of(READING, signal));
    assert.notEqual(second.revision, first.revision);
    putSources(kube, "one");
    assert.equal(desire(READING, "i", await of(READING, signal)).revision, first.revision);
  });

  it("rolls nothing for a Secret that the operator may not read any more, and says so", async () => {
    const kube = createFakeKube();
    const { of } = createSurroundings({
      kube: kube.client,
      stores: { statefulSets: kube.store<StatefulSet>(StatefulSets) },
    });
    putSources(kube, "one");
    const { template, revision } = desire(READING, "i", await of(READING, signal));
    kube.put<StatefulSet>(StatefulSets, buildStatefulSet(READING, template, 1));
    kube.failNext("get", "forbidden");
    kube.failNext("get", "forbidden");
    const later = desire(READING, "i", await of(READING, signal));
    assert.equal(later.revision, revision);
    assert.deepEqual(later.missing, []);
    assert.match(later.warnings.join(), /^The operator may not read ConfigMap urls, Secret creds: it does not notice/);
  });

  it("finds the rules of metrics, or those that the workers have", async () => {
    const kube = createFakeKube();
    const connect = kafkaConnect({
      runtime: "Jvm",
      metricsConfig: {
        type: "jmxPrometheusExporter",
        valueFrom: { configMapKeyRef: { name: "metrics", key: "connect.yaml" } },
      },
      build: {
        plugins: [
          {
            name: "jmx",
            artifacts: [
              { type: "maven", group: "io.prometheus.jmx", artifact: "jmx_prometheus_javaagent", version: "1.0.1" },
            ],
          },
        ],
      },
    });
    const stores = { statefulSets: kube.store<StatefulSet>(StatefulSets) };
    const { of } = createSurroundings({ kube: kube.client, stores });
    assert.deepEqual((await of(connect, signal)).metricsRules, {
      text: null,
      problem: "ConfigMap metrics with the key connect.yaml does not exist",
      hasWorkers: false,
    });
    const map = (name: string, data: Record<string, string>) =>
      kube.put(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "ns", name }, data });
    map("metrics", { "connect.yaml": "rules: []" });
    const given = await of(connect, signal);
    assert.deepEqual(given.metricsRules, { text: "rules: []", problem: null, hasWorkers: false });

    const { template, configMap } = desire(connect, "i", given);
    kube.put(ConfigMaps, configMap);
    kube.put<StatefulSet>(StatefulSets, buildStatefulSet(connect, template, 1));
    map("metrics", { "connect.yaml": "rules: [" });
    const kept = (await of(connect, signal)).metricsRules;
    assert.deepEqual([kept?.text, kept?.hasWorkers], ["rules: []", true]);
    assert.match(kept?.problem ?? "", /has no rules of the JMX exporter/);
  });

  it("passes other failures on: they are tried again", async () => {
    const kube = createFakeKube();
    kube.failNext("get", "unavailable");
    await assert.rejects(createSurroundings({ kube: kube.client }).of(CONNECT, signal));
  });
});
