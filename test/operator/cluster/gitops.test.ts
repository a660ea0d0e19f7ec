import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { KafkaConnects } from "#operator/kinds.ts";
import { ConfigMaps, type Pod } from "#operator/kube/resources.ts";
import { argoHealth } from "#support/argo-health.ts";
import { type ClusterBench, openClusterBench } from "#support/cluster-bench.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { eventually } from "#support/eventually.ts";
import type { Kstatus } from "#support/kstatus.ts";
import { STRIMZI_CHECK } from "#support/strimzi-check.ts";

const SCRIPTS = join(repoRoot, "examples/gitops/argocd/resource_customizations/headrace.dev");
const OURS = readFileSync(join(SCRIPTS, "KafkaConnect/health.lua"), "utf8");
const ARGO: Readonly<Record<Kstatus, string>> = {
  InProgress: "Progressing",
  Terminating: "Progressing",
  Failed: "Degraded",
  Current: "Healthy",
};

/** Whatever happens, no moment contradicts itself: closing the bench checks that. */
describe("what GitOps tools make of clusters", () => {
  let bench: ClusterBench;

  beforeEach(() => {
    bench = openClusterBench();
  });

  afterEach(async () => {
    await bench.close();
    for (const { resource, kstatus } of bench.moments) {
      const paused = resource.status?.conditions?.some(({ type }) => type === "ReconciliationPaused") === true;
      const expected = paused && kstatus === "Current" ? "Suspended" : ARGO[kstatus];
      assert.equal(argoHealth(OURS, resource).status, expected, JSON.stringify(resource.status));
      // Strimzi's check knows neither generations nor deletion: it may be early, and must not be wrong for good.
      const isCurrent = resource.status?.observedGeneration === resource.metadata.generation;
      if (kstatus === "Terminating" || !isCurrent) continue;
      assert.equal(argoHealth(STRIMZI_CHECK, resource).status, ARGO[kstatus], JSON.stringify(resource.status));
    }
  });

  /** What kstatus says of a generation, each once in a row. */
  function story(generation: number): readonly Kstatus[] {
    const all = bench.moments.filter((moment) => moment.generation === generation).map(({ kstatus }) => kstatus);
    return all.filter((kstatus, index) => kstatus !== all[index - 1]);
  }

  /** As the API server makes it: a resource that nobody has looked at yet is in progress. */
  async function make(spec: Parameters<typeof kafkaConnect>[0] = {}): Promise<void> {
    bench.kube.put(KafkaConnects, kafkaConnect(spec, { status: { observedGeneration: -1 } }));
    await bench.ready("Ready");
  }

  /** Does something and answers how many statuses were written for it. */
  async function writesOf(work: () => Promise<unknown>): Promise<number> {
    const before = bench.statusWrites();
    await work();
    return bench.statusWrites() - before;
  }

  it("says done when all workers are ready, and not before", async () => {
    const writes = await writesOf(() => make());
    assert.deepEqual(story(1), ["InProgress", "Current"]);
    assert.ok(writes <= 12, `${writes} writes`);
  });

  it("is on its way while it rolls, and done once", async () => {
    await make();
    const writes = await writesOf(async () => {
      bench.changeSpec({ config: { a: 1 } });
      await bench.ready("Ready");
    });
    assert.deepEqual(story(2), ["InProgress", "Current"]);
    assert.ok(writes <= 40, `${writes} writes`);
  });

  it("has failed when a template does not work and the former one was restored, and recovers with the next", async () => {
    await make();
    await eventually("the good template is remembered", () => bench.kube.all(ConfigMaps).length === 2);
    const [good] = bench.pods();
    const revisionOf = (pod: Pod | undefined) => pod?.metadata.annotations?.["headrace.dev/revision"];
    bench.sets.healthy = (pod) => revisionOf(pod) === revisionOf(good);
    const writes = await writesOf(async () => {
      bench.changeSpec({ image: "bad:1" });
      await bench.ready("Rolling");
      await eventually("a pod is new", () => bench.pods().some((pod) => revisionOf(pod) !== revisionOf(good)));
      bench.advance(300_000);
      await bench.ready("RolledBack");
      await eventually("all are as before", () => bench.pods().every((pod) => revisionOf(pod) === revisionOf(good)));
    });
    assert.equal(story(2).at(-1), "Failed");
    assert.ok(!story(2).includes("Current"), story(2).join());
    assert.ok(writes <= 40, `${writes} writes`);
    bench.sets.healthy = () => true;
    bench.changeSpec({ image: "good:2" });
    await bench.ready("Ready");
    assert.deepEqual(story(3), ["InProgress", "Current"]);
  });

  it("has failed when a configuration cannot be used, or its check refuses it", async () => {
    await make();
    bench.changeSpec({ config: { a: null } });
    await bench.ready("InvalidConfig");
    bench.sets.check = () => "failed  Kafka at nowhere:9092: no broker answers\n";
    bench.changeSpec({ config: {}, bootstrapServers: "nowhere:9092" });
    await bench.ready("PreflightFailed");
    assert.deepEqual(
      [story(2), story(3)],
      [
        ["InProgress", "Failed"],
        ["InProgress", "Failed"],
      ],
    );
  });

  it("is done at zero workers, and on its way back", async () => {
    await make();
    const writes = await writesOf(async () => {
      bench.changeSpec({ replicas: 0 });
      await bench.ready("ScaledToZero");
      bench.changeSpec({ replicas: 2 });
      await bench.ready("Ready");
    });
    assert.deepEqual(
      [story(2), story(3)],
      [
        ["InProgress", "Current"],
        ["InProgress", "Current"],
      ],
    );
    assert.ok(writes <= 24, `${writes} writes`);
  });

  const annotate = (annotations: Record<string, string>) =>
    bench.change((current) => ({ ...current, metadata: { ...current.metadata, annotations } }));
  const PAUSED = { "headrace.dev/pause-reconciliation": "true" };
  const isPaused = () => eventually("it is paused", () => bench.condition("ReconciliationPaused")?.status === "True");

  it("stays done when it is paused, and is not done with a change that nobody looks at", async () => {
    await make();
    const writes = await writesOf(async () => {
      annotate(PAUSED);
      await isPaused();
    });
    assert.equal(bench.moments.at(-1)?.kstatus, "Current");
    assert.ok(writes <= 2, `${writes} writes`);
    bench.changeSpec({ config: { a: 1 } });
    annotate({ ...PAUSED, touched: "1" });
    assert.equal(bench.moments.at(-1)?.kstatus, "InProgress");
    annotate({});
    await bench.ready("Ready");
    assert.deepEqual(story(2), ["InProgress", "Current"]);
  });

  it("needs somebody when it is paused on its way, or before it was ever looked at", async () => {
    bench.kube.put(KafkaConnects, {
      ...kafkaConnect({}, { status: { observedGeneration: -1 } }),
      metadata: { ...kafkaConnect().metadata, annotations: PAUSED },
    });
    await isPaused();
    assert.equal(bench.moments.at(-1)?.kstatus, "InProgress");
    annotate({});
    await bench.ready("Ready");
    bench.sets.setReady(1, false);
    await bench.ready("WorkersNotReady");
    annotate(PAUSED);
    await isPaused();
    assert.equal(bench.moments.at(-1)?.kstatus, "Failed");
    bench.sets.setReady(1, true);
    annotate({});
    await bench.ready("Ready");
  });

  it("is terminating from the moment of its deletion, with nothing written any more", async () => {
    await make();
    bench.change((current) => ({
      ...current,
      metadata: { ...current.metadata, finalizers: ["somebody/else"], deletionTimestamp: "2026-01-01T00:00:00Z" },
    }));
    const before = bench.statusWrites();
    bench.sets.setReady(1, false);
    bench.sets.setReady(1, true);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(bench.moments.at(-1)?.kstatus, "Terminating");
    assert.equal(bench.statusWrites(), before);
  });

  it("costs few writes, however fast workers come and go", async () => {
    await make();
    const before = bench.statusWrites();
    const startedAt = performance.now();
    for (let i = 0; i < 200; i += 1) {
      bench.sets.setReady(1, i % 2 === 1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await bench.ready("Ready");
    const seconds = (performance.now() - startedAt) / 1_000;
    const writes = bench.statusWrites() - before;
    assert.ok(writes <= 20 + seconds * 2, `${writes} writes in ${seconds} s`);
  });
});
