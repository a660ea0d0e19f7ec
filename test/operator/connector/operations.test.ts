import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { KafkaConnectors } from "#operator/kinds.ts";
import { ConfigMaps } from "#operator/kube/resources.ts";
import { kafkaConnector } from "#support/connect-objects.ts";
import { type ConnectorBench, openConnectorBench } from "#support/connector-bench.ts";
import { eventually } from "#support/eventually.ts";

const KEY = { namespace: "ns", name: "orders" };
const RESTART = "headrace.dev/restart";
const OFFSETS = "strimzi.io/connector-offsets";
/** More digits than a number has. */
const LARGE = "9223372036854775807";
const BEFORE = `{"offsets":[{"partition":{"file":"a"},"offset":{"position":${LARGE}}}]}`;
const WANTED = `{"offsets":[{"partition":{"file":"a"},"offset":{"position":20}}]}`;

describe("operations on connectors", () => {
  let bench: ConnectorBench;

  beforeEach(async () => {
    bench = await openConnectorBench();
  });

  afterEach(() => bench.close());

  async function run(spec: Parameters<typeof kafkaConnector>[0] = {}): Promise<void> {
    bench.startWithCluster();
    bench.kube.put(KafkaConnectors, kafkaConnector(spec));
    await bench.ready("Running");
  }

  function operation(type: string) {
    return eventually(`${type} has ended`, () => bench.status().operations?.find((one) => one.type === type), 10_000);
  }

  function event(reason: string): string | undefined {
    return bench.kube.events.find((one) => one.reason === reason)?.message;
  }

  function putOffsets(text: string, name = "wanted"): void {
    const metadata = { namespace: "ns", name };
    bench.kube.put(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "offsets.json": text } });
  }

  const snapshots = () =>
    bench.kube.all(ConfigMaps).filter(({ metadata }) => metadata.name.startsWith("orders-offsets-"));
  const lastWrites = (count: number) => bench.writes().slice(-count);

  describe("restart by annotation", () => {
    it("is done once, and told in the status and as an Event", async () => {
      await run();
      bench.annotate({ [RESTART]: "includeTasks" });
      const done = await operation("Restart");
      assert.deepEqual(
        { ...done, finishedAt: "" },
        {
          type: "Restart",
          request: "includeTasks",
          result: "Succeeded",
          message: "The connector and its tasks were restarted.",
          finishedAt: "",
        },
      );
      assert.equal(event("RestartSucceeded"), "The connector and its tasks were restarted.");
      assert.equal(bench.annotations()[RESTART], undefined);
      bench.annotate({ [RESTART]: "includeTasks" });
      const count = () => bench.writes().filter((call) => call.includes("/restart")).length;
      await eventually("the same is done again when it is asked for again", () => count() === 2);
    });

    it("is done once for one requested-at, however often a GitOps tool puts it back", async () => {
      await run();
      const asked = { [RESTART]: "true", "headrace.dev/requested-at": "monday" };
      bench.annotate(asked);
      await operation("Restart");
      bench.annotate(asked);
      bench.annotate({ "headrace.dev/requested-at": "tuesday" });
      await eventually("tuesday's is done", () => bench.status().operations?.[0]?.requestedAt === "tuesday");
      assert.equal(bench.writes().filter((call) => call.includes("/restart")).length, 2);
    });

    it("of a task that does not exist fails for good", async () => {
      await run();
      bench.annotate({ "headrace.dev/restart-task": "7" });
      const { result, message } = await operation("RestartTask");
      assert.deepEqual([result, message], ["Failed", "Unknown task: orders-7."]);
      assert.equal(event("RestartTaskFailed"), "Unknown task: orders-7.");
      await eventually("it is a warning", () =>
        bench.condition("Warning")?.message?.includes("Unknown task: orders-7."),
      );
      assert.equal(bench.condition("Ready")?.status, "True");
      assert.equal(bench.annotations()["headrace.dev/restart-task"], undefined);
    });

    it("is tried again while the cluster rebalances, and given up after a minute", async () => {
      await run();
      bench.connect.failNext("POST", "/connectors/orders/restart", 409, "rebalancing");
      bench.annotate({ [RESTART]: "true" });
      assert.equal((await operation("Restart")).result, "Succeeded");
      for (let i = 0; i < 20; i += 1) bench.connect.failNext("POST", "/connectors/orders/tasks", 409, "rebalancing");
      bench.annotate({ "headrace.dev/restart-task": "0" });
      await eventually("it is told", () => bench.condition("Warning")?.message?.includes("It will be tried again."));
      bench.advance(61_000);
      assert.deepEqual((await operation("RestartTask")).message, "rebalancing");
    });

    it("is obeyed though the new configuration is refused", async () => {
      await run();
      bench.changeSpec({ config: {} });
      await bench.ready("InvalidConfig");
      bench.annotate({ [RESTART]: "true" });
      assert.equal((await operation("Restart")).result, "Succeeded");
      assert.equal(bench.condition("Ready")?.reason, "InvalidConfig");
    });
  });

  describe("offsets by annotation", () => {
    const LIST = { listOffsets: { toConfigMap: { name: "listed" } } };
    const ALTER = { alterOffsets: { fromConfigMap: { name: "wanted" } } };

    it("are listed into a ConfigMap, every digit kept, other keys untouched", async () => {
      await run(LIST);
      bench.connect.offsets.set("orders", BEFORE);
      const metadata = { namespace: "ns", name: "listed" };
      bench.kube.put(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { mine: "kept" } });
      bench.annotate({ [OFFSETS]: "list" });
      const { message } = await operation("ListOffsets");
      assert.equal(message, "The offset of one partition was written to ConfigMap listed.");
      const listed = bench.kube.find(ConfigMaps, { namespace: "ns", name: "listed" });
      assert.equal(listed?.data?.["mine"], "kept");
      assert.match(listed?.data?.["offsets.json"] ?? "", new RegExp(`"position": ${LARGE}`));
      assert.equal(listed?.metadata.ownerReferences, undefined, "a ConfigMap of the user's stays the user's");
      assert.equal(bench.connect.connectors.get("orders")?.targetState, "STARTED");
    });

    it("are altered while the connector is stopped for it, with a snapshot of what they were", async () => {
      await run(ALTER);
      bench.connect.offsets.set("orders", BEFORE);
      putOffsets(WANTED);
      bench.annotate({ [OFFSETS]: "alter" });
      const { result, snapshot } = await operation("AlterOffsets");
      assert.equal(result, "Succeeded");
      await bench.ready("Running");
      assert.deepEqual(lastWrites(3), [
        "PUT /connectors/orders/stop",
        "PATCH /connectors/orders/offsets",
        "PUT /connectors/orders/resume",
      ]);
      assert.deepEqual(JSON.parse(bench.connect.offsets.get("orders") ?? ""), JSON.parse(WANTED));
      const kept = bench.kube.find(ConfigMaps, { namespace: "ns", name: snapshot ?? "" });
      assert.match(kept?.data?.["offsets.json"] ?? "", new RegExp(LARGE));
      assert.equal(kept?.metadata.ownerReferences?.[0]?.kind, "KafkaConnector");
      assert.equal(bench.annotations()[OFFSETS], undefined);
    });

    it("are reset, and a stopped connector stays stopped", async () => {
      await run();
      bench.connect.offsets.set("orders", BEFORE);
      bench.changeSpec({ state: "stopped" });
      await bench.ready("Stopped");
      bench.annotate({ [OFFSETS]: "reset" });
      assert.equal((await operation("ResetOffsets")).result, "Succeeded");
      await bench.ready("Stopped");
      assert.equal(bench.connect.offsets.has("orders"), false);
      assert.equal(snapshots().length, 1);
      assert.deepEqual(lastWrites(1), ["DELETE /connectors/orders/offsets"]);
    });

    for (const [what, text, wanted] of [
      ["no JSON", "{", /offsets\.json of ConfigMap wanted cannot be used: it is not JSON/],
      ["another document", '{"a":1}', /"a" is not known/],
      ["no partition", '{"offsets":[{"offset":{}}]}', /offsets\[0\]\.partition must be an object/],
      ["nothing", '{"offsets":[]}', /holds no offsets/],
    ] as const) {
      it(`that are ${what} stop nothing`, async () => {
        await run(ALTER);
        putOffsets(text);
        bench.annotate({ [OFFSETS]: "alter" });
        const { result, message } = await operation("AlterOffsets");
        assert.equal(result, "Failed");
        assert.match(message ?? "", wanted);
        assert.ok(!bench.writes().some((call) => call.endsWith("/stop")));
        assert.equal(bench.annotations()[OFFSETS], undefined);
      });
    }

    it("say what is missing", async () => {
      await run();
      bench.annotate({ [OFFSETS]: "alter" });
      assert.match((await operation("AlterOffsets")).message ?? "", /spec\.alterOffsets\.fromConfigMap\.name must say/);
      bench.annotate({ [OFFSETS]: "list" });
      assert.match((await operation("ListOffsets")).message ?? "", /spec\.listOffsets\.toConfigMap\.name must say/);
      bench.annotate({ [OFFSETS]: "remove" });
      await eventually("it is named", () =>
        bench.condition("Warning")?.message?.includes('is "remove"; it can be list'),
      );
    });

    it("that the connector refuses leave it as it was, and running", async () => {
      await run(ALTER);
      bench.connect.offsets.set("orders", BEFORE);
      putOffsets(WANTED);
      bench.connect.failNext("PATCH", "/connectors/orders/offsets", 400, "this connector has no offsets");
      bench.annotate({ [OFFSETS]: "alter" });
      assert.deepEqual((await operation("AlterOffsets")).message, "this connector has no offsets.");
      await bench.ready("Running");
      assert.equal(bench.connect.offsets.get("orders"), BEFORE);
    });
  });

  describe("startFrom", () => {
    const startFrom = { offsets: [{ partition: { file: "a" }, offset: { position: 7 } }] };

    it("sets the offsets before the connector runs for the first time", async () => {
      await run({ startFrom });
      assert.deepEqual(bench.writes().slice(1), [
        "POST /connectors",
        "PATCH /connectors/orders/offsets",
        "PUT /connectors/orders/resume",
      ]);
      assert.deepEqual(bench.connect.calls.find(({ method }) => method === "POST")?.body, {
        name: "orders",
        config: bench.connect.connectors.get("orders")?.config,
        initial_state: "STOPPED",
      });
      assert.deepEqual(JSON.parse(bench.connect.offsets.get("orders") ?? ""), startFrom);
      assert.equal(bench.status().startFrom, "Done");
    });

    it("goes on after an operator that died in between", async () => {
      bench.connect.addConnector("orders", {
        name: "orders",
        "connector.class": "datagen",
        "tasks.max": "2",
        topic: "orders",
      });
      bench.startWithCluster();
      bench.kube.put(
        KafkaConnectors,
        kafkaConnector({ startFrom }, { status: { observedGeneration: -1, startFrom: "Pending" } }),
      );
      await bench.ready("Running");
      assert.deepEqual(JSON.parse(bench.connect.offsets.get("orders") ?? ""), startFrom);
    });

    it("changes nothing of a connector, or of offsets, that exist", async () => {
      bench.connect.offsets.set("orders", BEFORE);
      await run({ startFrom });
      assert.equal(bench.status().startFrom, "Skipped");
      assert.equal(bench.connect.offsets.get("orders"), BEFORE);
    });

    it("makes no connector while its offsets cannot be read", async () => {
      bench.startWithCluster();
      const configMapKeyRef = { name: "wanted", key: "offsets.json" };
      bench.kube.put(KafkaConnectors, kafkaConnector({ startFrom: { configMapKeyRef } }));
      const { message } = await bench.ready("InvalidConfig");
      assert.match(message, /spec\.startFrom: ConfigMap wanted does not exist in namespace ns/);
      assert.equal(bench.connect.connectors.size, 0);
      putOffsets(WANTED);
      bench.advance(31_000);
      bench.annotate({ touched: "now" });
      await bench.ready("Running");
      assert.deepEqual(JSON.parse(bench.connect.offsets.get("orders") ?? ""), JSON.parse(WANTED));
    });
  });

  it("resets the offsets of a deleted connector when asked, and keeps what they were", async () => {
    await run({ resetOffsetsOnDelete: true });
    bench.connect.offsets.set("orders", BEFORE);
    await bench.kube.client.delete(KafkaConnectors, KEY, {}, AbortSignal.timeout(1_000));
    await eventually("it is gone", () => bench.kube.find(KafkaConnectors, KEY) === null);
    assert.deepEqual(lastWrites(3), [
      "PUT /connectors/orders/stop",
      "DELETE /connectors/orders/offsets",
      "DELETE /connectors/orders",
    ]);
    const [kept] = snapshots();
    assert.match(kept?.data?.["offsets.json"] ?? "", new RegExp(LARGE));
    assert.equal(kept?.metadata.ownerReferences, undefined);
  });

  describe("automatic restarts", () => {
    it("bring a failed task back within seconds, and say so until it is believed", async () => {
      await run({ autoRestart: {} });
      const failedAt = performance.now();
      bench.connect.setState("orders", 1, "FAILED", "no route");
      const { message } = await bench.ready("TasksFailed");
      assert.match(message, /^1 of 2 tasks failed; task 1: no route\. Restart 1 is due at 20/);
      assert.equal(bench.condition("Reconciling")?.status, "True");
      await bench.ready("Recovering");
      assert.ok(performance.now() - failedAt < 20_000);
      assert.deepEqual(lastWrites(1), ["POST /connectors/orders/restart?includeTasks=true&onlyFailed=true"]);
      assert.equal(bench.status().autoRestart?.count, 1);
      assert.ok(Date.parse(bench.status().autoRestart?.lastRestartTimestamp ?? "") > 0);
      await bench.ready("Running");
      bench.advance(601_000);
      bench.annotate({ touched: "now" });
      await eventually("the restarts are forgotten", () => bench.status().autoRestart === undefined);
    });

    it("end with the budget, until somebody restarts it", async () => {
      await run({ autoRestart: { maxRestarts: 1 } });
      bench.connect.hopeless = true;
      bench.connect.setState("orders", 0, "FAILED", "no such table");
      const exhausted = await eventually("the budget is spent", () => bench.condition("RestartsExhausted"), 10_000);
      assert.match(exhausted.message ?? "", /^After 1 restart, task 0 is not restarted any more/);
      assert.equal(bench.condition("Stalled")?.status, "True");
      assert.equal(bench.kube.events.filter(({ reason }) => reason === "RestartsExhausted").length, 1);
      bench.connect.hopeless = false;
      bench.annotate({ [RESTART]: "includeTasks" });
      await bench.ready("Running");
      assert.equal(bench.condition("RestartsExhausted"), undefined);
    });

    it("do not happen without spec.autoRestart", async () => {
      await run();
      bench.connect.setState("orders", 0, "FAILED", "no such table");
      await bench.ready("TasksFailed");
      assert.equal(bench.condition("Stalled")?.status, "True");
      assert.ok(!bench.writes().some((call) => call.includes("/restart")));
    });
  });
});
