import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { evaluate } from "@marcbachmann/cel-js";
import { parseAllDocuments } from "yaml";
import { repoRoot } from "#dev/cache.ts";
import { KafkaConnectors } from "#operator/kinds.ts";
import { argoHealth } from "#support/argo-health.ts";
import { kafkaConnector } from "#support/connect-objects.ts";
import { type ConnectorBench, openConnectorBench } from "#support/connector-bench.ts";
import { eventually } from "#support/eventually.ts";
import { type Kstatus, kstatusOf } from "#support/kstatus.ts";
import { STRIMZI_CHECK } from "#support/strimzi-check.ts";

const example = (path: string) => readFileSync(join(repoRoot, "examples/gitops", path), "utf8");
const OURS = example("argocd/resource_customizations/headrace.dev/KafkaConnector/health.lua");

function connectorExpressions() {
  const objects = parseAllDocuments(example("flux/connectors.yaml")).map((document) => document.toJS());
  return objects
    .flatMap(({ spec }) => spec?.healthCheckExprs ?? [])
    .find(({ kind }: { kind: string }) => kind === "KafkaConnector");
}

/** What Flux makes of a resource by the expressions of the example. */
function fluxStatus(resource: object): Kstatus | "none" {
  const expressions = connectorExpressions();
  const context = JSON.parse(JSON.stringify(resource));
  for (const [field, status] of [
    ["inProgress", "InProgress"],
    ["failed", "Failed"],
    ["current", "Current"],
  ] as const) {
    if (evaluate(expressions[field], context) === true) return status;
  }
  return "none";
}

const ARGO: Readonly<Record<Kstatus, string>> = {
  InProgress: "Progressing",
  Terminating: "Progressing",
  Failed: "Degraded",
  Current: "Healthy",
};

describe("what GitOps tools make of connectors", () => {
  let bench: ConnectorBench;
  const seen: { readonly metadata: object; readonly status?: object }[] = [];

  beforeEach(async () => {
    seen.length = 0;
    bench = await openConnectorBench();
    bench.kube.store(KafkaConnectors).onChange(({ current }) => void (current === undefined || seen.push(current)));
  });

  afterEach(() => bench.close());

  /** What kstatus says, each once in a row, of a generation. */
  function story(generation: number): readonly string[] {
    const all = bench.moments.filter((moment) => moment.generation === generation).map(({ kstatus }) => kstatus);
    return all.filter((kstatus, index) => kstatus !== all[index - 1]);
  }

  it("never says done before it is done, and says failed when somebody is needed", async () => {
    bench.startWithCluster();
    bench.kube.put(KafkaConnectors, { ...kafkaConnector(), status: { observedGeneration: -1 } });
    await bench.ready("Running");
    assert.deepEqual(story(1), ["InProgress", "Current"]);

    bench.connect.lazyTasks = true;
    bench.changeSpec({ config: { topic: "other" } });
    await eventually("it is on its way", () => bench.condition("Ready")?.reason === "Updating");
    bench.connect.settle("orders");
    bench.connect.lazyTasks = false;
    await bench.ready("Running");
    assert.deepEqual(story(2), ["InProgress", "Current"]);

    bench.changeSpec({ config: {} });
    await bench.ready("InvalidConfig");
    bench.changeSpec({ config: { topic: "other" } });
    await bench.ready("Running");
    assert.deepEqual(
      [story(3), story(4)],
      [
        ["InProgress", "Failed"],
        ["InProgress", "Current"],
      ],
    );

    bench.connect.setState("orders", 0, "FAILED", "no such table");
    await bench.ready("TasksFailed");
    bench.connect.setState("orders", 0, "RUNNING");
    await bench.ready("Running");
    assert.deepEqual(story(4), ["InProgress", "Current", "Failed", "Current"]);

    await bench.connect.killWorker("10.0.0.1");
    await bench.connect.killWorker("10.0.0.2");
    await bench.ready("ClusterUnreachable");
    assert.equal(bench.moments.at(-1)?.kstatus, "InProgress");

    assert.ok(seen.length > 10);
    for (const resource of seen) {
      const kstatus = kstatusOf(resource);
      assert.equal(argoHealth(OURS, resource).status, ARGO[kstatus], JSON.stringify(resource));
      if (kstatus === "Terminating") continue;
      assert.equal(fluxStatus(resource), kstatus, JSON.stringify(resource));
      // Strimzi's check knows no generations: it may be early, and must not be wrong for good.
      const { observedGeneration = -1 } = (resource as { status?: { observedGeneration?: number } }).status ?? {};
      const isCurrent = observedGeneration === (resource.metadata as { generation?: number }).generation;
      if (isCurrent) assert.equal(argoHealth(STRIMZI_CHECK, resource).status, ARGO[kstatus], JSON.stringify(resource));
    }
  });

  it("costs few writes, however fast the tasks change", async () => {
    bench.startWithCluster();
    bench.kube.put(KafkaConnectors, kafkaConnector());
    await bench.ready("Running");
    const before = bench.moments.length;
    const startedAt = performance.now();
    for (let i = 0; i < 200; i += 1) {
      bench.connect.setState("orders", 0, i % 2 === 0 ? "FAILED" : "RUNNING", `failure ${i}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    bench.connect.setState("orders", 0, "FAILED", "the last");
    await eventually("the last state is told", () => bench.condition("Ready")?.message?.includes("the last"));
    const seconds = (performance.now() - startedAt) / 1_000;
    assert.ok(bench.moments.length - before <= 20 + seconds * 2, `${bench.moments.length - before} writes`);
  });

  it("never changes what the user wrote", async () => {
    bench.startWithCluster();
    const { spec } = bench.kube.put(KafkaConnectors, kafkaConnector({ autoRestart: {} }));
    await bench.ready("Running");
    bench.connect.setState("orders", 0, "FAILED", "boom");
    await bench.ready("Recovering");
    assert.deepEqual(bench.kube.find(KafkaConnectors, { namespace: "ns", name: "orders" })?.spec, spec);
  });
});
