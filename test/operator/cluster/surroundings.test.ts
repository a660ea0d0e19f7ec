import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { desire } from "#operator/cluster/desired.ts";
import { buildStatefulSet } from "#operator/cluster/stateful-set.ts";
import { createSurroundings } from "#operator/cluster/surroundings.ts";
import { KubeError, toKubeError } from "#operator/kube/errors.ts";
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
    assert.match(
      later.warnings.join(),
      /^It is not noticed when the workers have to start with other values: ConfigMap urls, Secret creds cannot be read: /,
    );
  });

  const LOGIN = {
    authentication: {
      type: "plain",
      username: "u",
      passwordSecret: { secretName: "login", password: "pw" },
    },
  } as const;
  const everything = kafkaConnect({
    ...LOGIN,
    config: { a: `$\{secrets:creds:pw}`, b: `$\{configmaps:urls:db}` },
    logging: { type: "external", valueFrom: { configMapKeyRef: { name: "levels", key: "levels" } } },
  });
  const KMS = { code: 500, kind: "Status", reason: "InternalError", message: "failed to decrypt: KMS is away" };

  /** A client for which some objects cannot be read; `reads` has all that were, in their order. */
  function failing(kube: FakeKube, ...names: readonly string[]) {
    const reads: string[] = [];
    const get: typeof kube.client.get = async (type, key, limit) => {
      reads.push(`${type.kind} ${key.name}`);
      if (names.includes(key.name)) throw toKubeError(`getting ${type.plural} ${key.name}`, 500, KMS, null);
      return await kube.client.get(type, key, limit);
    };
    return { client: { ...kube.client, get }, reads };
  }

  function putAll(kube: FakeKube): void {
    putSources(kube, "one");
    const metadata = (name: string) => ({ namespace: "ns", name });
    const data = { pw: Buffer.from("x").toString("base64") };
    kube.put(Secrets, { apiVersion: "v1", kind: "Secret", metadata: metadata("login"), data });
    const levels = { levels: "rootLogger.level=WARN" };
    kube.put(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: metadata("levels"), data: levels });
  }

  it("lets workers that are there go on with what they have while the API server fails to read", async () => {
    const kube = createFakeKube();
    putAll(kube);
    const stores = { statefulSets: kube.store<StatefulSet>(StatefulSets) };
    const healthy = await createSurroundings({ kube: kube.client, stores }).of(everything, signal);
    const { template, revision } = desire(everything, "i", healthy);
    assert.equal(healthy.readAgain, false);
    kube.put<StatefulSet>(StatefulSets, buildStatefulSet(everything, template, 1));
    const { client } = failing(kube, "creds", "login", "levels");
    const troubled = createSurroundings({ kube: client, stores });
    const found = await troubled.of(everything, signal);
    assert.equal(found.readAgain, true);
    const later = desire(everything, "i", found);
    assert.deepEqual([later.revision, later.missing, later.logging], [revision, [], null]);
    const warnings = later.warnings.join("\n");
    assert.match(warnings, /^spec\.logging is as it was: ConfigMap levels cannot be read: .*KMS is away\.$/m);
    assert.match(warnings, /^Secret login cannot be read: .*KMS is away\. The workers go on with what they have\.$/m);
    assert.match(warnings, /^It is not noticed .* other values: Secret creds cannot be read: .*KMS is away\.$/m);

    // With another template they might not start with those that they have.
    const changed = kafkaConnect({ ...everything.spec, bootstrapServers: "other:9092" });
    const { missing } = desire(changed, "i", await troubled.of(changed, signal));
    assert.match(missing.join("\n"), /^Secret login cannot be read: .*KMS is away$/);
  });

  it("lets new workers wait while the API server fails to read what they need", async () => {
    for (const name of ["creds", "login"]) {
      const kube = createFakeKube();
      putAll(kube);
      const stores = { statefulSets: kube.store<StatefulSet>(StatefulSets) };
      const { client } = failing(kube, name);
      await assert.rejects(createSurroundings({ kube: client, stores }).of(everything, signal), /KMS is away/);
    }
  });

  it("tells what is missing beside what cannot be read", async () => {
    const kube = createFakeKube();
    putAll(kube);
    const stores = { statefulSets: kube.store<StatefulSet>(StatefulSets) };
    const first = await createSurroundings({ kube: kube.client, stores }).of(everything, signal);
    kube.put<StatefulSet>(StatefulSets, buildStatefulSet(everything, desire(everything, "i", first).template, 1));
    kube.remove(ConfigMaps, { namespace: "ns", name: "urls" });
    const { client } = failing(kube, "creds");
    const found = await createSurroundings({ kube: client, stores }).of(everything, signal);
    assert.deepEqual(desire(everything, "i", found).missing, ["ConfigMap urls, from which b is read, does not exist"]);
  });

  it("reads side by side, and each object once", async () => {
    const kube = createFakeKube();
    putAll(kube);
    const connect = kafkaConnect({
      ...everything.spec,
      config: { a: `$\{secrets:login:pw}`, b: `$\{configmaps:levels:x}` },
    });
    const gate = Promise.withResolvers<void>();
    const { client, reads } = failing(kube);
    const slow: typeof client.get = async (type, key, limit) => {
      const object = client.get(type, key, limit);
      await gate.promise;
      return await object;
    };
    const found = createSurroundings({ kube: { ...client, get: slow } }).of(connect, signal);
    const begun = [...reads].toSorted();
    gate.resolve();
    await found;
    assert.deepEqual(begun, ["ConfigMap levels", "Secret login"]);
    assert.deepEqual(reads.toSorted(), begun);
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

    const get: typeof kube.client.get = async (type, key, limit) => {
      if (key.name === configMap.metadata.name) throw new KubeError("forbidden", "may not read it");
      return await kube.client.get(type, key, limit);
    };
    const { held } = await createSurroundings({ kube: { ...kube.client, get }, stores }).of(connect, signal);
    assert.equal(held?.message, "may not read it");
  });

  it("passes other failures on: they are tried again", async () => {
    const kube = createFakeKube();
    kube.failNext("get", "unavailable");
    await assert.rejects(createSurroundings({ kube: kube.client }).of(CONNECT, signal));
  });
});
