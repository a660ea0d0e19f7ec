import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type KafkaConnector, KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { Pods } from "#operator/kube/resources.ts";
import { createReachability } from "#operator/reachability.ts";
import { kafkaConnect, kafkaConnector, workerPod } from "#support/connect-objects.ts";
import { type ConnectorBench, openConnectorBench } from "#support/connector-bench.ts";
import { eventually } from "#support/eventually.ts";
import type { FakeConnect } from "#support/fake-connect.ts";
import type { FakeKube } from "#support/fake-kube.ts";

const KEY = { namespace: "ns", name: "orders" };
const CLUSTER = { namespace: "ns", name: "my-connect" };

describe("connector controller", () => {
  let bench: ConnectorBench;
  let kube: FakeKube;
  let connect: FakeConnect;

  beforeEach(async () => {
    bench = await openConnectorBench();
    ({ kube, connect } = bench);
  });

  afterEach(() => bench.close());

  const start = () => bench.start();
  const startWithCluster = () => bench.startWithCluster();
  const status = () => bench.status();
  const condition = (type: string) => bench.condition(type);
  const ready = (reason: string, name?: string) => bench.ready(reason, name);
  const writes = () => bench.writes();
  const change = (change: (connector: KafkaConnector) => KafkaConnector) => bench.change(change);
  const changeSpec = (spec: Partial<KafkaConnector["spec"]>) => bench.changeSpec(spec);

  /** The generations and reasons that the status shows from now on, each once in a row. */
  function watchReasons(): () => readonly string[] {
    const seen: string[] = [];
    const look = () => {
      const { observedGeneration = 0 } = status();
      const reason = `${observedGeneration} ${condition("Ready")?.reason}`;
      if (observedGeneration > 1 && seen.at(-1) !== reason) seen.push(reason);
    };
    kube.store(KafkaConnectors).onChange(look);
    return () => seen;
  }

  it("creates a connector, and reports it as it runs", async () => {
    startWithCluster();
    const spec = kube.put(KafkaConnectors, kafkaConnector()).spec;
    assert.deepEqual(await ready("Running"), { status: "True", message: "The connector and all 2 tasks are running." });
    const { connectorStatus, tasks, tasksMax, observedGeneration, labelSelector, topics } = status();
    assert.equal(connectorStatus?.connector.state, "RUNNING");
    assert.deepEqual([tasks, tasksMax, observedGeneration, topics], ["2/2", 2, 1, []]);
    assert.match(labelSelector ?? "", /headrace\.dev\/cluster=my-connect/);
    assert.equal(condition("ConfigValid")?.status, "True");
    assert.equal(condition("NotReady"), undefined);
    assert.equal(condition("Reconciling"), undefined);
    assert.deepEqual(connect.connectors.get("orders")?.config, {
      name: "orders",
      "connector.class": "datagen",
      "tasks.max": "2",
      topic: "orders",
    });
    assert.deepEqual(writes(), ["PUT /connector-plugins/datagen/config/validate", "POST /connectors"]);
    assert.deepEqual(kube.find(KafkaConnectors, KEY)?.spec, spec);
    assert.deepEqual(kube.find(KafkaConnectors, KEY)?.metadata.finalizers, ["headrace.dev/connector"]);
  });

  for (const [state, reason, target] of [
    ["paused", "Paused", "PAUSED"],
    ["stopped", "Stopped", "STOPPED"],
  ] as const) {
    it(`creates a connector ${state}`, async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector({ state }));
      assert.equal((await ready(reason)).status, "True");
      assert.equal(connect.connectors.get("orders")?.targetState, target);
      assert.ok(!writes().some((call) => /pause|stop|resume/.test(call)));
    });
  }

  it("updates by difference, and does nothing without one", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    changeSpec({ config: { topic: "other" } });
    await eventually("the new topic is there", () => connect.connectors.get("orders")?.config["topic"] === "other");
    await eventually("it runs again", () => status().observedGeneration === 2 && condition("Ready")?.status === "True");
    assert.deepEqual(writes().slice(2), [
      "PUT /connector-plugins/datagen/config/validate",
      "PUT /connectors/orders/config",
    ]);
  });

  it("is not ready with a new configuration before the tasks have taken it up", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    connect.setState("orders", 0, "FAILED", "no such topic");
    await ready("TasksFailed");
    connect.lazyTasks = true;
    const seen = watchReasons();
    changeSpec({ config: { topic: "other" } });
    await eventually("the new topic is there", () => connect.connectors.get("orders")?.config["topic"] === "other");
    await eventually("that is seen", () => seen().includes("2 Updating"));
    connect.settle("orders");
    await ready("Running");
    assert.deepEqual(seen(), ["2 Updating", "2 Running"]);
  });

  it("believes tasks that do not move after a change of the configuration, but not at once", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    connect.lazyTasks = true;
    const changedAt = performance.now();
    changeSpec({ config: { topic: "other" } });
    await ready("Updating");
    await ready("Running");
    assert.ok(performance.now() - changedAt > 1_900);
  });

  it("is not ready when it is resumed before its tasks are planned", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector({ state: "stopped" }));
    await ready("Stopped");
    connect.lazyTasks = true;
    const seen = watchReasons();
    changeSpec({ state: "running" });
    await eventually("it runs, without tasks", () => status().connectorStatus?.connector.state === "RUNNING");
    assert.deepEqual(seen(), ["2 Starting"]);
    connect.settle("orders");
    await ready("Running");
  });

  it("pauses, stops and resumes", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    changeSpec({ state: "paused" });
    await ready("Paused");
    changeSpec({ state: "stopped" });
    await ready("Stopped");
    assert.equal(status().tasks, "0/0");
    changeSpec({ state: "running" });
    await ready("Running");
  });

  it("waits for tasks to come up before it is ready", async () => {
    connect.slow = true;
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    assert.equal((await ready("Starting")).status, "False");
    assert.equal(condition("NotReady"), undefined);
    assert.equal(condition("Reconciling")?.status, "True");
    assert.equal(status().tasks, "0/2");
    connect.setState("orders", null, "RUNNING");
    connect.setState("orders", 0, "RUNNING");
    await eventually("half is there", () => status().tasks === "1/2");
    assert.equal(condition("Ready")?.message, "1 of 2 tasks are running.");
    connect.setState("orders", 1, "RUNNING");
    await ready("Running");
  });

  it("shows a failed task at once, its trace cut, and its recovery", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    const failedAt = performance.now();
    connect.setState("orders", 1, "FAILED", `Connection refused: db:5432\n${"\tat somewhere\n".repeat(1_000)}`);
    const { status: value, message } = await ready("TasksFailed");
    assert.ok(performance.now() - failedAt < 9_000);
    assert.equal(value, "False");
    assert.equal(message, "1 of 2 tasks failed; task 1: Connection refused: db:5432.");
    assert.equal(condition("Stalled")?.status, "True");
    assert.equal(status().tasks, "1/2");
    assert.ok((status().connectorStatus?.tasks[1]?.trace?.length ?? 0) <= 1_025);
    connect.setState("orders", 1, "RUNNING");
    await ready("Running");
    connect.setState("orders", null, "FAILED", "no licence");
    assert.equal((await ready("ConnectorFailed")).message, "The connector failed: no licence.");
  });

  it("does not write a status that has not changed", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    const before = kube.find(KafkaConnectors, KEY)?.metadata.resourceVersion;
    kube.put(KafkaConnectors, kafkaConnector({}, { metadata: { name: "second" } }));
    await ready("Running", "second");
    assert.equal(kube.find(KafkaConnectors, KEY)?.metadata.resourceVersion, before);
  });

  describe("says what is wrong, and recovers", () => {
    it("without a label", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector({}, { metadata: { labels: {} } }));
      const { status: value, message } = await ready("MissingClusterLabel");
      assert.equal(value, "False");
      assert.match(message, /label headrace\.dev\/cluster is missing: set it/);
      assert.equal(condition("Stalled")?.status, "True");
      change((connector) => ({
        ...connector,
        metadata: { ...connector.metadata, labels: { "strimzi.io/cluster": "my-connect" } },
      }));
      await ready("Running");
    });

    it("without a cluster", async () => {
      start();
      kube.put(KafkaConnectors, kafkaConnector());
      assert.match(
        (await ready("ClusterNotFound")).message,
        /KafkaConnect my-connect.* does not exist in namespace ns/,
      );
      kube.put(KafkaConnects, kafkaConnect());
      kube.put(Pods, workerPod(0));
      await ready("Running");
      kube.remove(KafkaConnects, CLUSTER);
      await ready("ClusterNotFound");
      assert.equal(status().connectorStatus, undefined);
    });

    it("on a cluster of another operator", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector());
      await ready("Running");
      change((connector) => ({
        ...connector,
        metadata: { ...connector.metadata, generation: 2, labels: { "headrace.dev/cluster": "of-another" } },
      }));
      assert.match(
        (await ready("ClusterOfAnotherOperator")).message,
        /of-another .* belongs to another operator: delete/,
      );
      assert.equal(condition("Stalled")?.status, "True");
      assert.equal(status().connectCluster?.name, "my-connect");
    });

    it("at zero replicas", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector());
      await ready("Running");
      kube.put(KafkaConnects, kafkaConnect({ replicas: 0 }));
      assert.match((await ready("ClusterScaledToZero")).message, /has 0 replicas: scale it up/);
      kube.put(KafkaConnects, kafkaConnect());
      await ready("Running");
    });

    it("without a ready worker", async () => {
      kube.put(KafkaConnects, kafkaConnect());
      start();
      kube.put(KafkaConnectors, kafkaConnector());
      const { status: value, message } = await ready("ClusterUnreachable");
      assert.equal(value, "Unknown");
      assert.match(
        message,
        /^No worker of KafkaConnect my-connect has told about this connector since 20[-\dT:]+Z: no worker is ready\.$/,
      );
      kube.put(Pods, workerPod(0));
      await ready("Running");
    });

    it("when no worker answers, keeping what was known", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector());
      await ready("Running");
      await connect.killWorker("10.0.0.1");
      await connect.killWorker("10.0.0.2");
      assert.match((await ready("ClusterUnreachable")).message, /cannot be reached/);
      assert.equal(status().connectorStatus?.connector.state, "RUNNING");
      await connect.addWorker("10.0.0.2");
      await ready("Running");
    });

    it("telling others that no worker answers, but not that none is ready", async () => {
      const reachability = createReachability();
      const lost = () => reachability.lostBecause(CLUSTER);
      bench.startWithCluster({ reachability });
      kube.put(KafkaConnectors, kafkaConnector());
      await ready("Running");
      assert.equal(lost(), null);
      for (const ip of ["10.0.0.1", "10.0.0.2"]) connect.setInGroup(ip, false);
      await eventually("that is told", () => lost() !== null);
      assert.equal(lost(), "the workers are in no group, as while Kafka cannot be reached");
      for (const number of [0, 1]) kube.put(Pods, workerPod(number, { ready: false }));
      await eventually("no worker is ready", () => lost() === null);
      assert.match((await ready("ClusterUnreachable")).message, /no worker is ready/);
    });

    it("with an unknown class", async () => {
      kube.put(
        KafkaConnects,
        kafkaConnect({}, { status: { connectorPlugins: [{ class: "datagen", type: "source" }] } }),
      );
      kube.put(Pods, workerPod(0));
      start();
      kube.put(KafkaConnectors, kafkaConnector({ class: "dategen" }));
      const { message } = await ready("UnknownClass");
      assert.equal(message, 'KafkaConnect my-connect has no connector plugin "dategen"; it has datagen.');
      assert.equal(condition("ConfigValid")?.reason, "UnknownClass");
      changeSpec({ class: "datagen" });
      await ready("Running");
    });

    it("with a configuration that the plugin refuses", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector({ config: {} }));
      const { message } = await ready("InvalidConfig");
      assert.equal(
        message,
        'A setting is wrong: topic: Missing required configuration "topic" which has no default value.',
      );
      assert.equal(condition("ConfigValid")?.status, "False");
      assert.equal(connect.connectors.size, 0);
      changeSpec({ config: { topic: "a" } });
      await ready("Running");
      changeSpec({ config: {} });
      assert.match((await ready("InvalidConfig")).message, /The configuration from before stays in place\.$/);
      assert.equal(connect.connectors.get("orders")?.config["topic"], "a");
      changeSpec({ config: { topic: "a" } });
      await ready("Running");
    });

    it("with a value that is no scalar, and harms nobody else", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector({ config: { topic: null } }));
      kube.put(KafkaConnectors, kafkaConnector({}, { metadata: { name: "second" } }));
      assert.match((await ready("InvalidConfig")).message, /^A setting is wrong: topic: has no value/);
      assert.equal(condition("ConfigValid")?.reason, "InvalidValue");
      await ready("Running", "second");
      changeSpec({ config: { topic: "a" } });
      await ready("Running");
    });

    it("while the cluster rebalances, or fails for once", async () => {
      startWithCluster();
      connect.failNext("POST", "/connectors", 409, "Cannot complete request momentarily");
      connect.failNext("POST", "/connectors", 500, "Request timed out");
      kube.put(KafkaConnectors, kafkaConnector());
      await ready("Running");
    });
  });

  it("follows another worker when its own goes away", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    await connect.killWorker("10.0.0.1");
    await eventually("a failure told by the other worker is seen", () => {
      connect.setState("orders", 0, "FAILED", "boom");
      return condition("Ready")?.reason === "TasksFailed";
    });
  });

  it("follows another worker when its own falls silent", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    connect.silence("10.0.0.1");
    connect.setState("orders", 0, "FAILED", "boom");
    await ready("TasksFailed");
  });

  it("does not believe workers that have left their group", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    connect.setInGroup("10.0.0.1", false);
    connect.setState("orders", 1, "FAILED", "disk full");
    await ready("TasksFailed");
    connect.setInGroup("10.0.0.2", false);
    const { status: value, message } = await ready("ClusterUnreachable");
    assert.equal(value, "Unknown");
    assert.match(message, /the workers are in no group, as while Kafka cannot be reached\.$/);
    const version = kube.find(KafkaConnectors, KEY)?.metadata.resourceVersion;
    await eventually("it has asked again", () => connect.streamsOpened() > 8);
    assert.equal(kube.find(KafkaConnectors, KEY)?.metadata.resourceVersion, version);
    connect.setInGroup("10.0.0.2", true);
    await ready("TasksFailed");
  });

  it("takes up what changed while it was not connected", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    await connect.killWorker("10.0.0.1");
    await connect.killWorker("10.0.0.2");
    await ready("ClusterUnreachable");
    connect.setState("orders", 0, "FAILED", "boom");
    await connect.addWorker("10.0.0.1");
    await ready("TasksFailed");
  });

  it("puts back what somebody changed over REST", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    connect.addConnector("orders", { name: "orders", "connector.class": "datagen", topic: "theirs" });
    await eventually("the topic is ours again", () => connect.connectors.get("orders")?.config["topic"] === "orders");
  });

  describe("deletion", () => {
    async function deleteResource(): Promise<void> {
      await kube.client.delete(KafkaConnectors, KEY, {}, AbortSignal.timeout(1_000));
    }

    function gone(): Promise<true> {
      return eventually("the resource is gone", () => kube.find(KafkaConnectors, KEY) === null, 5_000);
    }

    it("takes the connector away first", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector());
      await ready("Running");
      await deleteResource();
      await gone();
      assert.equal(connect.connectors.has("orders"), false);
    });

    it("leaves an orphan running", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector({ deletionPolicy: "Orphan" }));
      await ready("Running");
      await deleteResource();
      await gone();
      assert.equal(connect.connectors.has("orders"), true);
    });

    it("never touches a connector that it did not make or adopt", async () => {
      connect.addConnector("orders", { name: "orders", "connector.class": "datagen", topic: "theirs" });
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector({ config: {} }));
      await ready("InvalidConfig");
      await deleteResource();
      await gone();
      assert.equal(connect.connectors.get("orders")?.config["topic"], "theirs");
    });

    it("waits for an unreachable cluster, for a minute", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector());
      await ready("Running");
      await connect.killWorker("10.0.0.1");
      await connect.killWorker("10.0.0.2");
      await ready("ClusterUnreachable");
      await deleteResource();
      await ready("Deleting");
      assert.equal(kube.events.length, 0);
      bench.advance(61_000);
      await gone();
      assert.equal(kube.events[0]?.reason, "ConnectorLeftBehind");
      assert.match(kube.events[0]?.message ?? "", /orders stays on KafkaConnect my-connect/);
    });

    it("does not wait for a cluster that is gone", async () => {
      startWithCluster();
      kube.put(KafkaConnectors, kafkaConnector());
      await ready("Running");
      kube.remove(KafkaConnects, CLUSTER);
      await deleteResource();
      await gone();
    });
  });

  it("moves a connector to another cluster only after the first has let go of it", async () => {
    const second = await bench.addCluster("second");
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    change((connector) => ({
      ...connector,
      metadata: { ...connector.metadata, labels: { "headrace.dev/cluster": "second" } },
    }));
    await eventually("it is on the second cluster", () => second.connectors.has("orders"));
    assert.equal(connect.connectors.has("orders"), false);
    await ready("Running");
    await eventually("ownership moved", () => status().connectCluster?.name === "second");
  });

  it("restarts on demand, once", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    await ready("Running");
    change((connector) => ({
      ...connector,
      metadata: { ...connector.metadata, annotations: { "headrace.dev/restart": "includeTasks" } },
    }));
    const annotations = () => kube.find(KafkaConnectors, KEY)?.metadata.annotations ?? {};
    await eventually("the annotation is gone", () => annotations()["headrace.dev/restart"] === undefined);
    const restarts = connect.calls.filter(({ path }) => path.includes("/restart"));
    assert.deepEqual(
      restarts.map(({ path }) => path),
      ["/connectors/orders/restart?includeTasks=true&onlyFailed=false"],
    );
  });

  it("says that it does not understand an annotation", async () => {
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector({}, { metadata: { annotations: { "strimzi.io/restart": "please" } } }));
    await eventually("there is a warning", () =>
      condition("Warning")?.message?.includes('strimzi.io/restart is "please"'),
    );
    await ready("Running");
  });

  it("runs connectors on JVM workers, which are asked for their states", async () => {
    connect.jvm = true;
    startWithCluster();
    kube.put(KafkaConnectors, kafkaConnector());
    assert.equal((await ready("Running")).message, "The connector and all 2 tasks are running.");
    assert.deepEqual(connect.connectors.get("orders")?.config["topic"], "orders");
    changeSpec({ state: "paused" });
    await ready("Paused");
    changeSpec({ state: "running" });
    await ready("Running");
    connect.setState("orders", 0, "FAILED", "no more disk");
    assert.match((await ready("TasksFailed")).message, /no more disk/);
    connect.setState("orders", 0, "RUNNING");
    changeSpec({ state: "stopped" });
    await ready("Stopped");
    await connect.killWorker("10.0.0.1");
    changeSpec({ state: "running" });
    await ready("Running");
    await kube.client.delete(KafkaConnectors, KEY, {}, AbortSignal.timeout(1_000));
    await eventually("it is gone", () => kube.find(KafkaConnectors, KEY) === null && connect.connectors.size === 0);
  });
});
