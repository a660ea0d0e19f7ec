import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { KafkaConnectors } from "#operator/kinds.ts";
import { kafkaConnector } from "#support/connect-objects.ts";
import { type ConnectorBench, openConnectorBench } from "#support/connector-bench.ts";
import { eventually } from "#support/eventually.ts";

describe("offsets in the status", () => {
  let bench: ConnectorBench;

  beforeEach(async () => {
    bench = await openConnectorBench();
  });

  afterEach(() => bench.close());

  const at = (id: number) => JSON.stringify({ offsets: [{ partition: { table: "a" }, offset: { id } }] });
  const shown = () => bench.status().offsets?.entries?.[0]?.offset;
  const asked = () => bench.connect.calls.filter(({ path }) => path.endsWith("/offsets")).length;

  async function run(): Promise<void> {
    bench.startWithCluster({ offsetsEveryMs: 100 });
    bench.kube.put(KafkaConnectors, kafkaConnector());
    await bench.ready("Running");
  }

  it("follow the connector now and then, and are written only when they have changed", async () => {
    bench.connect.offsets.set("orders", at(1));
    await run();
    await eventually("they are told", () => shown() === '{"id":1}');
    bench.connect.offsets.set("orders", at(2));
    await eventually("they are told again", () => shown() === '{"id":2}');
    await eventually("three looks led to no write", async () => {
      const [looks, writes] = [asked(), bench.moments.length];
      await eventually("it was looked at again and again", () => asked() >= looks + 3);
      return bench.moments.length === writes;
    });
    assert.equal(bench.condition("Ready")?.reason, "Running");
  });

  it("stay as they were while the cluster is away, and go with the resource", async () => {
    bench.connect.offsets.set("orders", at(1));
    await run();
    await eventually("they are told", () => shown() === '{"id":1}');
    await bench.connect.killWorker("10.0.0.1");
    await bench.connect.killWorker("10.0.0.2");
    await bench.ready("ClusterUnreachable");
    assert.equal(shown(), '{"id":1}');
    await bench.connect.addWorker("10.0.0.1");
    await bench.ready("Running");
    const signal = AbortSignal.timeout(10_000);
    await bench.kube.client.delete(KafkaConnectors, { namespace: "ns", name: "orders" }, {}, signal);
    await eventually("it is gone", () => bench.kube.all(KafkaConnectors).length === 0);
    bench.connect.offsets.clear();
    bench.kube.put(KafkaConnectors, kafkaConnector({}, { metadata: { uid: "another" } }));
    await bench.ready("Running");
    await eventually("another one begins anew", () => bench.status().offsets?.partitions === 0);
  });
});
