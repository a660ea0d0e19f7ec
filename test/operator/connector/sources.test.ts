import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { foreignReferences, ownFileReferences, sourceProviders, sourcesIn } from "#operator/connector/sources.ts";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { ConfigMaps, Pods, Secrets } from "#operator/kube/resources.ts";
import { kafkaConnect, kafkaConnector, workerPod } from "#support/connect-objects.ts";
import { type ConnectorBench, openConnectorBench } from "#support/connector-bench.ts";
import { eventually } from "#support/eventually.ts";

/** A placeholder, spelled so that it is no template. */
const ref = (text: string) => `$\{${text}}`;

const PROVIDERS = {
  "config.providers": "env, secrets,maps",
  "config.providers.secrets.class": "io.strimzi.kafka.KubernetesSecretConfigProvider",
  "config.providers.maps.class": "kubernetes-config-map",
};

describe("sources of a configuration", () => {
  const providers = sourceProviders(kafkaConnect({ config: PROVIDERS }));

  it("are what its placeholders name, each once", () => {
    const config = {
      url: `jdbc://${ref("maps:db:host")}/${ref("maps:db:name")}`,
      user: ref("secrets:team/db:user"),
      password: ref("secrets:team/db:password"),
      other: `${ref("env:HOME")} ${ref("secrets:a/b/c:key")} ${ref("unknown:x:y")} plain`,
    };
    assert.deepEqual(sourcesIn(config, providers, "ns"), [
      { kind: "ConfigMap", namespace: "ns", name: "db", keys: ["host", "name"] },
      { kind: "Secret", namespace: "team", name: "db", keys: ["password", "user"] },
    ]);
    const given = sourcesIn(config, sourceProviders(kafkaConnect()), "ns");
    assert.deepEqual(
      given.map(({ kind, name }) => `${kind} ${name}`),
      ["Secret db"],
      "secrets and configmaps are there without being asked for",
    );
    assert.deepEqual(sourcesIn(config, sourceProviders(kafkaConnect({ runtime: "Jvm" })), "ns"), []);
  });

  it("of a connector in another namespace must be its own", () => {
    const places = { own: "team", workers: "ns" };
    const problems = (value: string) => foreignReferences({ password: value }, providers, places);
    assert.deepEqual(problems(ref("secrets:team/db:password")), []);
    assert.deepEqual(problems("plain"), []);
    for (const value of ["secrets:ns/db:password", "secrets:db:password", "env:TOKEN", "directory:/mnt:x"]) {
      const [problem] = problems(ref(value));
      assert.equal(problem?.key, "password");
      assert.match(problem?.message ?? "", /is not allowed/);
    }
    assert.deepEqual(foreignReferences({ a: ref("secrets:db:x") }, providers, { own: "ns", workers: "ns" }), []);
  });
});

describe("the workers' own files", () => {
  const problems = (value: string) => ownFileReferences({ a: "b", password: value }).map(({ key }) => key);

  for (const text of [
    "headrace:/opt/headrace/user:password",
    "headrace:password",
    "file:/opt/headrace/config/worker.properties:sasl.jaas.config",
    "directory:/opt/headrace/rest/certificates:keystore.password",
    "directory://opt/./x/../headrace/user/:password",
    "directory:/opt/headrace:user",
  ]) {
    it(`are not for connectors: ${text}`, () => assert.deepEqual(problems(`a ${ref(text)} b`), ["password"]));
  }

  it("are no others", () => {
    for (const text of ["secrets:headrace:x", "env:headrace", "directory:/opt/headrace-data:x", "file:/mnt/data/f:x"]) {
      assert.deepEqual(problems(ref(text)), []);
    }
    assert.deepEqual(problems("headrace:/opt/headrace/user:password"), []);
  });

  for (const runtime of ["Jvm", "Headrace"] as const) {
    it(`are refused before workers of runtime ${runtime} hear of them`, async () => {
      const bench = await openConnectorBench();
      try {
        bench.kube.put(KafkaConnects, kafkaConnect(runtime === "Jvm" ? { runtime, image: "apache/kafka:4.3.1" } : {}));
        bench.kube.put(Pods, workerPod(0));
        bench.start();
        bench.kube.put(KafkaConnectors, kafkaConnector({ config: { topic: "t" } }));
        await bench.ready("Running");
        bench.changeSpec({ config: { topic: ref("headrace:/opt/headrace/user:canary") } });
        assert.match((await bench.ready("InvalidConfig")).message, /topic: .*own files are not for connectors/);
        assert.doesNotMatch(JSON.stringify(bench.connect.calls), /canary/);
        assert.equal(bench.connect.connectors.get("orders")?.config["topic"], "t", "the one from before goes on");
      } finally {
        await bench.close();
      }
    });
  }
});

describe("a Secret that changes", () => {
  let bench: ConnectorBench;

  beforeEach(async () => {
    bench = await openConnectorBench();
  });

  afterEach(() => bench.close());

  function putSecret(password: string, labels: Record<string, string> = {}): void {
    const data = { password: Buffer.from(password).toString("base64"), other: "eA==" };
    bench.kube.put(Secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "ns", name: "db", labels },
      data,
    });
  }

  function start(): void {
    bench.kube.put(KafkaConnects, kafkaConnect({ config: PROVIDERS }));
    bench.kube.put(Pods, workerPod(0));
    bench.start({ sources: { secrets: bench.kube.store(Secrets), configMaps: bench.kube.store(ConfigMaps) } });
  }

  const restarts = () => bench.writes().filter((call) => call.includes("/restart"));

  it("restarts the connectors that read it, and no others", async () => {
    putSecret("old");
    start();
    bench.kube.put(KafkaConnectors, kafkaConnector({ config: { topic: ref("secrets:ns/db:password") } }));
    bench.kube.put(KafkaConnectors, kafkaConnector({}, { metadata: { name: "second" } }));
    await bench.ready("Running");
    await bench.ready("Running", "second");
    const before = bench.status().configSources;
    putSecret("old", { "a-label": "only" });
    await eventually("the new version is known", () => bench.status().configSources !== before);
    assert.deepEqual(restarts(), []);
    putSecret("new");
    await eventually("it is told", () => bench.kube.events.some(({ reason }) => reason === "ConfigSourceChanged"));
    assert.deepEqual(restarts(), ["POST /connectors/orders/restart?includeTasks=true&onlyFailed=false"]);
    assert.equal(
      bench.kube.events.find(({ reason }) => reason === "ConfigSourceChanged")?.message,
      "Secret ns/db changed: the connector is restarted with its tasks.",
    );
    await bench.ready("Running");
    assert.ok(!JSON.stringify(bench.moments).includes(Buffer.from("new").toString("base64")));
  });

  it("restarts them also where what is in another namespace may not be seen", async () => {
    putSecret("old");
    bench.kube.put(KafkaConnects, kafkaConnect({ config: PROVIDERS }));
    bench.kube.put(Pods, workerPod(0));
    const secrets = { ...bench.kube.store(Secrets), synced: (namespace?: string) => namespace === "ns" };
    bench.start({ sources: { secrets, configMaps: bench.kube.store(ConfigMaps) } });
    bench.kube.put(KafkaConnectors, kafkaConnector({ config: { topic: ref("secrets:ns/db:password") } }));
    await bench.ready("Running");
    await eventually("it is known what was read", () => bench.status().configSources !== undefined);
    putSecret("new");
    await eventually("it is restarted", () => restarts().length === 1);
  });

  it("while no operator was there restarts them, too", async () => {
    putSecret("old");
    const config = {
      name: "orders",
      "connector.class": "datagen",
      "tasks.max": "2",
      topic: ref("secrets:db:password"),
    };
    bench.connect.addConnector("orders", config);
    const connectCluster = { name: "my-connect", uid: "connect-uid" };
    const status = { observedGeneration: 0, connectCluster, configSources: "that of an older version" };
    bench.kube.put(KafkaConnectors, kafkaConnector({ config: { topic: ref("secrets:db:password") } }, { status }));
    start();
    await eventually("it is restarted", () => restarts().length === 1);
    await bench.ready("Running");
    assert.equal(restarts().length, 1);
  });

  it("lets a connector start that was refused for want of it, at once", async () => {
    start();
    bench.connect.failNext("PUT", "/connector-plugins", 400, "Secret ns/db does not exist");
    bench.kube.put(KafkaConnectors, kafkaConnector({ config: { topic: ref("secrets:ns/db:password") } }));
    putSecret("new");
    await bench.ready("Running");
  });

  it("of another namespace cannot be read by way of somebody else's workers", async () => {
    start();
    bench.kube.put(KafkaConnects, kafkaConnect({ config: PROVIDERS, allowedNamespaces: { from: "All" } }));
    const labels = { "headrace.dev/cluster": "my-connect", "headrace.dev/cluster-namespace": "ns" };
    const config = { topic: ref("secrets:ns/db:password") };
    bench.kube.put(KafkaConnectors, kafkaConnector({ config }, { metadata: { namespace: "team", labels } }));
    await eventually("it is refused", () => {
      const { status } = bench.kube.find(KafkaConnectors, { namespace: "team", name: "orders" }) ?? {};
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      return ready?.reason === "InvalidConfig" && ready.message?.includes("it must name a Secret of namespace team");
    });
    assert.deepEqual(bench.writes(), []);
  });
});
