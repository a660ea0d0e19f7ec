import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConfigInfos } from "@headrace/contract";
import { type KafkaConnect, type KafkaConnector, KafkaConnects } from "#operator/kinds.ts";
import { Pods } from "#operator/kube/resources.ts";
import { reviewCluster } from "#operator/webhook/review-cluster.ts";
import { reviewConnector } from "#operator/webhook/review-connector.ts";
import { type ConnectClient, ConnectRestError } from "#operator/worker/connect-client.ts";
import { kafkaConnect, kafkaConnector, workerPod } from "#support/connect-objects.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const READY = {
  observedGeneration: 1,
  conditions: [{ type: "Ready", status: "True", reason: "Ready", message: "", lastTransitionTime: "" }],
  connectorPlugins: [{ class: "datagen", type: "source" }],
} satisfies KafkaConnect["status"];

const ready = (spec: Partial<KafkaConnect["spec"]> = {}) => kafkaConnect(spec, { status: READY });

interface World {
  readonly connect?: KafkaConnect | null;
  /** What the plugin says, by key; an error is thrown; null: there is no such plugin. */
  readonly answer?: Readonly<Record<string, string>> | Error | null;
  readonly before?: KafkaConnector;
}

/** The verdict about a connector, and how often workers were asked. */
async function review(object: KafkaConnector, { connect = ready(), answer = {}, before }: World = {}) {
  const kube = createFakeKube();
  if (connect !== null) kube.put(KafkaConnects, connect);
  kube.put(Pods, workerPod(0));
  let asked = 0;
  const workers: Pick<ConnectClient, "validate" | "hasPlugin"> = {
    validate: async () => {
      asked += 1;
      if (answer === null) throw new ConnectRestError("not-found", "no such plugin");
      if (answer instanceof Error) throw answer;
      return infos(answer);
    },
    hasPlugin: async () => answer !== null,
  };
  const deps = {
    connects: kube.store(KafkaConnects),
    pods: kube.store(Pods),
    connect: workers,
    namespaceLabels: () => ({}),
    isWatched: () => true,
  };
  const verdict = await reviewConnector(deps, { object, before: before ?? null }, new AbortController().signal);
  return { ...verdict, asked };
}

function infos(errors: Readonly<Record<string, string>>): ConfigInfos {
  const configs = Object.entries(errors).map(([name, message]) => ({
    definition: null,
    value: { name, value: null, recommended_values: [], errors: [message], visible: true },
  }));
  return { name: "datagen", error_count: configs.length, groups: [], configs };
}

describe("review of a KafkaConnector", () => {
  it("puts the plugin's words to the fields of the resource", async () => {
    const answer = { topic: "is missing", "tasks.max": "is too large", "connector.plugin.version": "is unknown" };
    const { errors } = await review(kafkaConnector(), { answer });
    assert.deepEqual(errors, [
      { field: "spec.config.topic", message: "is missing" },
      { field: "spec.tasksMax", message: "is too large" },
      { field: "spec.version", message: "is unknown" },
    ]);
  });

  it("refuses a plugin that the workers do not have", async () => {
    const { errors } = await review(kafkaConnector({ class: "dategen" }), { answer: null });
    const message = 'the workers have no connector plugin "dategen"; they have datagen';
    assert.deepEqual(errors, [{ field: "spec.class", message }]);
  });

  it("refuses values that cannot be sent, without asking anybody", async () => {
    const { errors, asked } = await review(kafkaConnector({ config: { topic: null as never } }));
    assert.deepEqual([errors.map(({ field }) => field), asked], [["spec.config.topic"], 0]);
  });

  it("refuses to read the workers' own files, without asking anybody", async () => {
    const value = ["$", "{headrace:/opt/headrace/user:canary}"].join("");
    const { errors, asked } = await review(kafkaConnector({ config: { topic: value } }), {
      connect: ready({ runtime: "Jvm" }),
    });
    assert.deepEqual([errors.map(({ field }) => field), asked], [["spec.config.topic"], 0]);
  });

  it("warns of what Java's workers do not do, but not of those of a cluster that takes no connectors from there", async () => {
    const object = kafkaConnector({ resources: { limits: { memory: "256Mi" } } });
    const connect = ready({ runtime: "Jvm" });
    assert.match((await review(object, { connect })).warnings.join(), /^Without effect with runtime: Jvm/);
    const elsewhere = { ...object, metadata: { ...object.metadata, namespace: "other" } };
    const labels = { ...object.metadata.labels, "headrace.dev/cluster-namespace": "ns" };
    const { warnings } = await review({ ...elsewhere, metadata: { ...elsewhere.metadata, labels } }, { connect });
    assert.match(warnings.join(), /^KafkaConnect ns\/my-connect takes no connectors of namespace other/);
  });

  it("takes what is wrong with a placeholder's value for a warning", async () => {
    const value = ["$", "{secrets:ns/db:topic}"].join("");
    const object = kafkaConnector({ config: { topic: value, other: "x" } });
    const { errors, warnings } = await review(object, { answer: { topic: "is wrong", other: "is wrong" } });
    assert.deepEqual(errors, [{ field: "spec.config.other", message: "is wrong" }]);
    assert.deepEqual(warnings, ["spec.config.topic: is wrong"]);
  });

  it("lets pass with a warning what nobody can tell", async () => {
    const cases: readonly (readonly [World, RegExp])[] = [
      [{ connect: null }, /ns\/my-connect does not exist/],
      [{ connect: ready({ replicas: 0 }) }, /has 0 replicas/],
      [{ connect: kafkaConnect() }, /is not ready/],
      [{ connect: kafkaConnect({}, { status: { ...READY, observedGeneration: 0 } }) }, /is not ready/],
      [{ answer: new ConnectRestError("rejected", "the Secret is not there") }, /the Secret is not there\. The conf/],
      [{ answer: new ConnectRestError("conflict", "rebalancing") }, /rebalancing\. The configuration was not checked/],
    ];
    for (const [world, expected] of cases) {
      const { errors, warnings } = await review(kafkaConnector(), world);
      assert.deepEqual(errors, []);
      assert.match(warnings.join("\n"), expected);
    }
    const { errors, warnings } = await review(kafkaConnector({}, { metadata: { labels: {} } }));
    assert.deepEqual([errors, warnings.length], [[], 1]);
  });

  it("does not ask a cluster about connectors of namespaces that it does not take", async () => {
    const labels = { "headrace.dev/cluster": "my-connect", "headrace.dev/cluster-namespace": "ns" };
    const object = kafkaConnector({}, { metadata: { namespace: "other", labels } });
    const { asked, warnings } = await review(object, { answer: { topic: "is missing" } });
    assert.equal(asked, 0);
    assert.match(warnings[0] ?? "", /takes no connectors of namespace other/);
  });

  it("refuses references to what the connector's namespace does not own, before a worker reads it", async () => {
    const labels = { "headrace.dev/cluster": "my-connect", "headrace.dev/cluster-namespace": "ns" };
    const config = { topic: ["$", "{secrets:ns/theirs:password}"].join("") };
    const object = kafkaConnector({ config }, { metadata: { namespace: "other", labels } });
    const { errors, asked } = await review(object, { connect: ready({ allowedNamespaces: { from: "All" } }) });
    assert.deepEqual([errors.map(({ field }) => field), asked], [["spec.config.topic"], 0]);
  });

  it("has nothing to say about changes that are none of the connector's, and about its end", async () => {
    const answer = { topic: "is missing" };
    const before = kafkaConnector();
    const finalized = kafkaConnector({}, { metadata: { finalizers: ["headrace.dev/connector"] } });
    assert.deepEqual(await review(finalized, { answer, before }), { errors: [], warnings: [], asked: 0 });
    const leaving = kafkaConnector({ config: {} }, { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } });
    assert.deepEqual(await review(leaving, { answer, before }), { errors: [], warnings: [], asked: 0 });
    const moved = kafkaConnector({}, { metadata: { labels: { "headrace.dev/cluster": "other" } } });
    assert.equal((await review(moved, { answer, before })).warnings.length, 1);
  });
});

describe("review of a KafkaConnect", () => {
  it("tells values that cannot be used, and what has no effect", () => {
    const cluster = kafkaConnect({
      config: { "group.id": "x", "offset.flush.interval.ms": null as never },
      jvmOptions: {},
    });
    const { errors, warnings } = reviewCluster(cluster, null);
    assert.deepEqual(
      errors.map(({ field }) => field),
      ["spec.config.offset.flush.interval.ms"],
    );
    assert.match(warnings.join("\n"), /group\.id[\s\S]*jvmOptions/);
    assert.deepEqual(reviewCluster(cluster, cluster), { errors: [], warnings: [] });
  });
});
