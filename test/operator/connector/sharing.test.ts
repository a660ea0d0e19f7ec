import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type KafkaConnector, KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { Namespaces } from "#operator/kube/resources.ts";
import { kafkaConnect, kafkaConnector } from "#support/connect-objects.ts";
import { type ConnectorBench, openConnectorBench } from "#support/connector-bench.ts";
import { eventually } from "#support/eventually.ts";

const ELSEWHERE = { "headrace.dev/cluster": "my-connect", "headrace.dev/cluster-namespace": "ns" };

describe("connectors that share a cluster", () => {
  let bench: ConnectorBench;

  beforeEach(async () => {
    bench = await openConnectorBench();
  });

  afterEach(() => bench.close());

  const put = (spec: Partial<KafkaConnector["spec"]>, metadata: Partial<KafkaConnector["metadata"]> = {}) =>
    bench.kube.put(KafkaConnectors, kafkaConnector(spec, { metadata }));

  async function remove(name: string): Promise<void> {
    await bench.kube.client.delete(KafkaConnectors, { namespace: "ns", name }, {}, AbortSignal.timeout(1_000));
    await eventually(`${name} is gone`, () => bench.kube.find(KafkaConnectors, { namespace: "ns", name }) === null);
  }

  /** The Ready condition of a connector in another namespace. */
  function readyElsewhere(reason: string, name = "orders") {
    return eventually(`${name} is ${reason}`, () => {
      const resource = bench.kube.find(KafkaConnectors, { namespace: "team", name });
      const ready = resource?.status?.conditions?.find(({ type }) => type === "Ready");
      return ready?.reason === reason ? ready : undefined;
    });
  }

  it("may have names that Kubernetes has not", async () => {
    bench.startWithCluster();
    put({ name: "Orders (EU) / 1%" });
    await bench.ready("Running");
    assert.equal(bench.connect.connectors.get("Orders (EU) / 1%")?.config["name"], "Orders (EU) / 1%");
    bench.changeSpec({ state: "paused" });
    await bench.ready("Paused");
    await remove("orders");
    assert.equal(bench.connect.connectors.size, 0);
  });

  it("cannot have one name twice: who has it keeps it, whatever becomes of the other", async () => {
    bench.startWithCluster();
    put({ config: { topic: "mine" } });
    await bench.ready("Running");
    put({ name: "orders", config: { topic: "theirs" } }, { name: "second" });
    const { status, message } = await bench.ready("NameTaken", "second");
    assert.equal(status, "False");
    assert.match(message, /^KafkaConnector ns\/orders has the connector orders of KafkaConnect my-connect/);
    await remove("second");
    assert.equal(bench.connect.connectors.get("orders")?.config["topic"], "mine");
    assert.equal(bench.condition("Ready")?.status, "True");

    put({ name: "orders", config: { topic: "theirs" } }, { name: "third" });
    await bench.ready("NameTaken", "third");
    await remove("orders");
    await bench.ready("Running", "third");
    assert.equal(bench.connect.connectors.get("orders")?.config["topic"], "theirs");
  });

  it("are kept out of a cluster that does not take their namespace, and stopped when it no longer does", async () => {
    bench.startWithCluster();
    put({}, { namespace: "team", labels: ELSEWHERE });
    const { message } = await readyElsewhere("NamespaceNotAllowed");
    assert.match(
      message ?? "",
      /^KafkaConnect my-connect takes no connectors from namespace team: its spec\.allowedNam/,
    );
    assert.equal(bench.connect.connectors.size, 0);

    const selector = { matchLabels: { "kubernetes.io/metadata.name": "team" } };
    bench.kube.put(KafkaConnects, kafkaConnect({ allowedNamespaces: { from: "Selector", selector } }));
    await readyElsewhere("Running");
    const { status } = bench.kube.find(KafkaConnectors, { namespace: "team", name: "orders" }) ?? {};
    assert.equal(status?.connectCluster?.namespace, "ns");

    put({});
    assert.match((await bench.ready("NameTaken")).message, /^KafkaConnector team\/orders has the connector orders/);

    bench.kube.put(KafkaConnects, kafkaConnect({ allowedNamespaces: { from: "Same" } }));
    await readyElsewhere("NamespaceNotAllowed");
    await eventually("it is stopped", () => bench.connect.connectors.get("orders")?.targetState === "STOPPED");
  });

  it("are let in, or not any more, as soon as the labels of their namespace say so", async () => {
    const label = (team: string) =>
      bench.kube.put(Namespaces, {
        ...{ apiVersion: "v1", kind: "Namespace" },
        metadata: { name: "team", labels: { team } },
      });
    const namespaceLabels = (name: string) =>
      bench.kube.find(Namespaces, { namespace: "", name })?.metadata.labels ?? {};
    label("sales");
    bench.startWithCluster({ namespaceLabels, namespaces: bench.kube.store(Namespaces) });
    const selector = { matchLabels: { team: "data" } };
    bench.kube.put(KafkaConnects, kafkaConnect({ allowedNamespaces: { from: "Selector", selector } }));
    put({}, { namespace: "team", labels: ELSEWHERE });
    await readyElsewhere("NamespaceNotAllowed");
    label("data");
    await readyElsewhere("Running");
    put({});
    await bench.ready("NameTaken");
    label("sales");
    await readyElsewhere("NamespaceNotAllowed");
    await eventually("it is stopped", () => bench.connect.connectors.get("orders")?.targetState === "STOPPED");
  });

  it("stay where they are while nobody can tell the labels of their namespace, and none is let in", async () => {
    let labels: Readonly<Record<string, string>> | null = { team: "data" };
    bench.startWithCluster({ namespaceLabels: () => labels });
    const selector = { matchLabels: { team: "data" } };
    bench.kube.put(KafkaConnects, kafkaConnect({ allowedNamespaces: { from: "Selector", selector } }));
    put({}, { namespace: "team", labels: ELSEWHERE });
    await readyElsewhere("Running");
    labels = null;
    const theirs = bench.kube.find(KafkaConnectors, { namespace: "team", name: "orders" });
    assert(theirs !== null);
    const { spec, metadata } = theirs;
    const changed = { ...spec, config: { ...spec.config, topic: "other" } };
    bench.kube.put(KafkaConnectors, { ...theirs, metadata: { ...metadata, generation: 2 }, spec: changed });
    await eventually("it is changed", () => bench.connect.connectors.get("orders")?.config["topic"] === "other");
    put({ name: "second" }, { name: "second", namespace: "team", labels: ELSEWHERE });
    await readyElsewhere("NamespaceNotAllowed", "second");
    assert.equal(bench.connect.connectors.get("orders")?.targetState, "STARTED");
    assert.equal(bench.connect.connectors.get("second"), undefined);
  });

  it("are left alone while reconciliation is paused", async () => {
    bench.startWithCluster();
    put({});
    await bench.ready("Running");
    bench.annotate({ "strimzi.io/pause-reconciliation": "true" });
    bench.changeSpec({ config: { topic: "other" }, state: "stopped" });
    await eventually("it says so", () => bench.condition("ReconciliationPaused")?.status === "True");
    bench.connect.setState("orders", 0, "FAILED", "boom");
    await bench.ready("TasksFailed");
    assert.equal(bench.status().observedGeneration, 1);
    assert.equal(bench.moments.at(-1)?.kstatus, "InProgress");
    assert.equal(bench.connect.connectors.get("orders")?.config["topic"], "orders");
    bench.annotate({ "strimzi.io/pause-reconciliation": "false" });
    await bench.ready("Stopped");
    assert.equal(bench.connect.connectors.get("orders")?.config["topic"], "other");
    assert.equal(bench.condition("ReconciliationPaused"), undefined);
  });

  it("are only looked at when they are to be observed, and taken over when they are to be managed", async () => {
    bench.connect.addConnector("orders", { name: "orders", "connector.class": "datagen", topic: "theirs" });
    bench.startWithCluster();
    put({ managementPolicy: "Observe" });
    await bench.ready("Running");
    assert.equal(bench.status().connectorStatus?.connector.state, "RUNNING");
    bench.connect.setState("orders", 0, "FAILED", "boom");
    await bench.ready("TasksFailed");
    assert.deepEqual(bench.writes(), []);
    assert.equal(bench.status().connectCluster, undefined);
    bench.changeSpec({ managementPolicy: "Manage" });
    await eventually("it is taken over", () => bench.connect.connectors.get("orders")?.config["topic"] === "orders");
    await bench.ready("Running");
  });
});
