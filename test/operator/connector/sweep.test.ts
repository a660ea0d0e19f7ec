import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ORPHAN_GRACE_MS, planPruning } from "#operator/connector/pruning.ts";
import { digestOf, planLeftover, REMOVALS_NAME } from "#operator/connector/removals.ts";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { ConfigMaps, Pods } from "#operator/kube/resources.ts";
import { kafkaConnect, kafkaConnector, workerPod } from "#support/connect-objects.ts";
import { type ConnectorBench, openConnectorBench } from "#support/connector-bench.ts";
import { eventually } from "#support/eventually.ts";

const KEY = { namespace: "ns", name: "orders" };
const NOW = 1_000_000_000;

describe("planLeftover", () => {
  const config = { name: "orders", topic: "a" };
  const identity = { groupId: "g", configStorageTopic: "c" };
  const removal = {
    cluster: "my-connect",
    connector: "orders",
    identity,
    config: digestOf(config),
    atMs: NOW,
    resetOffsets: false,
    uid: "u",
  };
  const resetting = { ...removal, resetOffsets: true };
  const actual = { config, targetState: "STARTED" as const, taskCount: 1, status: null, topics: [] };
  const seen = { actual, claimed: false, identity, stoppingSinceMs: null, nowMs: NOW + 1 };
  const table: readonly [string, Parameters<typeof planLeftover>[1], string][] = [
    ["removes what was left behind", seen, "remove"],
    ["leaves what has another configuration", { ...seen, actual: { ...actual, config: { name: "orders" } } }, "forget"],
    ["leaves what somebody asks for again", { ...seen, claimed: true }, "forget"],
    ["is done when it is gone", { ...seen, actual: null }, "forget"],
    ["waits for the topic that holds it", { ...seen, identity: { ...identity, configStorageTopic: "d" } }, "keep"],
    ["waits for the group that it was in", { ...seen, identity: { ...identity, groupId: "h" } }, "keep"],
    ["does not wait for ever", { ...seen, actual: null, nowMs: NOW + 31 * 86_400_000 }, "forget"],
  ];
  for (const [what, inputs, step] of table) it(what, () => assert.equal(planLeftover(removal, inputs), step));

  it("stops it before its offsets are reset, and waits for that only so long", () => {
    assert.equal(planLeftover(resetting, seen), "stop");
    const stopping = { ...actual, targetState: "STOPPED" as const };
    assert.equal(planLeftover(resetting, { ...seen, actual: stopping }), "await-stop");
    const connector = { state: "STOPPED" as const, worker_id: "" };
    const status = { name: "orders", connector, tasks: [], type: "source" as const };
    assert.equal(planLeftover(resetting, { ...seen, actual: { ...stopping, status } }), "reset-and-remove");
    const late = { ...seen, actual: stopping, stoppingSinceMs: NOW, nowMs: NOW + 60_001 };
    assert.equal(planLeftover(resetting, late), "remove");
    assert.equal(planLeftover(resetting, { ...seen, claimed: true }), "forget");
  });
});

describe("planPruning", () => {
  const plan = (orphans: readonly [string, number][], all: number, maxPercent = 25) =>
    planPruning({
      connectors: Array.from({ length: all }, (_, i) => `c${i}`),
      orphans: new Map(orphans),
      maxPercent,
      nowMs: NOW,
    });
  const old = NOW - ORPHAN_GRACE_MS;

  it("deletes what has had no resource for a while", () => {
    assert.deepEqual(plan([["c0", old]], 4), { kind: "prune", connectors: ["c0"], nextAtMs: null });
    assert.deepEqual(plan([["c0", old + 5]], 4), { kind: "prune", connectors: [], nextAtMs: NOW + 5 });
    assert.deepEqual(plan([], 0), { kind: "prune", connectors: [], nextAtMs: null });
  });

  it("deletes nothing when it would be more than the share", () => {
    assert.deepEqual(plan([["c0", old]], 3), { kind: "refuse", orphans: 1, of: 3 });
    assert.equal(plan([["c0", old]], 1, 100).kind, "prune");
  });
});

describe("connectors that no resource asks for", () => {
  let bench: ConnectorBench;

  beforeEach(async () => {
    bench = await openConnectorBench();
  });

  afterEach(() => bench.close());

  const gone = () => eventually("the resource is gone", () => bench.kube.find(KafkaConnectors, KEY) === null);
  const deleteResource = () => bench.kube.client.delete(KafkaConnectors, KEY, {}, AbortSignal.timeout(1_000));
  const remembered = () =>
    Object.keys(bench.kube.find(ConfigMaps, { namespace: "ns", name: REMOVALS_NAME })?.data ?? {}).length;

  async function run(): Promise<void> {
    bench.startWithCluster();
    bench.kube.put(KafkaConnectors, kafkaConnector());
    await bench.ready("Running");
  }

  it("are deleted when their cluster is back, if it was away when their resource was deleted", async () => {
    await run();
    await bench.connect.killWorker("10.0.0.1");
    await bench.connect.killWorker("10.0.0.2");
    await bench.ready("ClusterUnreachable");
    await deleteResource();
    bench.advance(61_000);
    await gone();
    assert.equal(remembered(), 1);
    await bench.connect.addWorker("10.0.0.1");
    await eventually("the connector is gone", () => bench.connect.connectors.size === 0);
    await eventually("that is forgotten", () => remembered() === 0);
    assert.equal(bench.kube.events.at(-1)?.reason, "ConnectorDeleted");
  });

  it("take their offsets with them where that was asked for, and these are kept in a ConfigMap", async () => {
    bench.startWithCluster();
    bench.kube.put(KafkaConnectors, kafkaConnector({ resetOffsetsOnDelete: true }));
    await bench.ready("Running");
    const offsets = [{ partition: { table: "a" }, offset: { id: 7 } }];
    bench.connect.offsets.set("orders", JSON.stringify({ offsets }));
    await bench.connect.killWorker("10.0.0.1");
    await bench.connect.killWorker("10.0.0.2");
    await bench.ready("ClusterUnreachable");
    await deleteResource();
    bench.advance(61_000);
    await gone();
    await bench.connect.addWorker("10.0.0.1");
    await eventually("the connector is gone", () => bench.connect.connectors.size === 0);
    await eventually("that is forgotten", () => remembered() === 0);
    const { writes } = bench;
    const expected = ["PUT /connectors/orders/stop", "DELETE /connectors/orders/offsets", "DELETE /connectors/orders"];
    assert.deepEqual(
      writes()
        .filter((call) => expected.includes(call))
        .slice(-3),
      expected,
    );
    const kept = bench.kube.all(ConfigMaps).find(({ metadata }) => metadata.name.startsWith("orders-offsets-"));
    assert.deepEqual(JSON.parse(kept?.data?.["offsets.json"] ?? "null"), { offsets });
  });

  it("do not come back from the topics of a KafkaConnect that was deleted before them and is applied again", async () => {
    await run();
    bench.kube.remove(KafkaConnects, { namespace: "ns", name: "my-connect" });
    await bench.ready("ClusterNotFound");
    await deleteResource();
    await gone();
    assert.equal(bench.connect.connectors.size, 1);
    bench.kube.put(KafkaConnects, kafkaConnect({}, { metadata: { ...kafkaConnect().metadata, uid: "another" } }));
    await eventually("the connector is gone", () => bench.connect.connectors.size === 0);
  });

  it("stay when their resource is there again", async () => {
    await run();
    bench.kube.remove(KafkaConnects, { namespace: "ns", name: "my-connect" });
    await deleteResource();
    await gone();
    bench.kube.put(KafkaConnectors, kafkaConnector());
    bench.kube.put(KafkaConnects, kafkaConnect());
    await bench.ready("Running");
    await eventually("the removal is forgotten", () => remembered() === 0);
    assert.equal(bench.writes().filter((call) => call.startsWith("DELETE")).length, 0);
  });

  it("are pruned where that is asked for, after a minute, and never more than the share", async () => {
    bench.kube.put(KafkaConnects, kafkaConnect({ pruneConnectors: { maxPercent: 50 } }));
    bench.kube.put(Pods, workerPod(0));
    const config = { name: "theirs", "connector.class": "datagen", topic: "a" };
    bench.connect.addConnector("theirs", config);
    bench.start();
    await eventually("one of one is too many", () =>
      bench.kube.events.some(({ reason }) => reason === "PruningRefused"),
    );
    bench.kube.put(KafkaConnectors, kafkaConnector());
    await bench.ready("Running");
    assert.equal(bench.connect.connectors.size, 2);
    bench.advance(ORPHAN_GRACE_MS);
    bench.kube.put(KafkaConnects, kafkaConnect({ pruneConnectors: { maxPercent: 51 } }));
    await eventually("it is pruned", () => !bench.connect.connectors.has("theirs"));
    assert.ok(bench.connect.connectors.has("orders"));
  });

  it("stay where nobody asks for that", async () => {
    bench.connect.addConnector("theirs", { name: "theirs", "connector.class": "datagen", topic: "a" });
    await run();
    bench.advance(10 * ORPHAN_GRACE_MS);
    bench.kube.put(KafkaConnects, kafkaConnect({ replicas: 2 }));
    bench.changeSpec({ config: { topic: "b" } });
    await eventually("something else was done", () => bench.connect.connectors.get("orders")?.config["topic"] === "b");
    assert.ok(bench.connect.connectors.has("theirs"));
  });
});
