import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { createClusterController } from "#operator/cluster/controller.ts";
import { type KafkaConnect, KafkaConnects } from "#operator/kinds.ts";
import { ConfigMaps, Pods, StatefulSets } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { createConnectClient } from "#operator/worker/connect-client.ts";
import { createWorkerTrust } from "#operator/worker/trust.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeConnect, type FakeConnect } from "#support/fake-connect.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";
import { type FakeStatefulSets, runFakeStatefulSets } from "#support/fake-stateful-sets.ts";

const KEY = { namespace: "ns", name: "my-connect" };
const WORKLOAD = { namespace: "ns", name: "my-connect-connect" };

/** What users ask of a cluster beside its configuration: other log levels, new pods, to be left alone. */
describe("wishes for a running cluster", () => {
  let kube: FakeKube;
  let connect: FakeConnect;
  let sets: FakeStatefulSets;
  let stop: AbortController;
  let running: Promise<void>;

  beforeEach(async () => {
    kube = createFakeKube();
    connect = createFakeConnect();
    sets = runFakeStatefulSets(kube, connect);
    stop = new AbortController();
    const controller = createClusterController({
      kube: kube.client,
      connect: createConnectClient({ endpoint: connect.endpoint, readTimeoutMs: 1_000 }),
      trust: createWorkerTrust(kube.client, Date.now),
      stores: { connects: kube.store(KafkaConnects), statefulSets: kube.store(StatefulSets), pods: kube.store(Pods) },
      events: kube.recorder,
      log: createLog("silent"),
      defaultImage: "headrace/worker:default",
      now: Date.now,
    });
    running = controller.run(stop.signal);
    kube.put(KafkaConnects, kafkaConnect({ replicas: 2 }));
    await until("Ready", "True");
  });

  afterEach(async () => {
    stop.abort();
    await running;
    await sets.stop();
    await connect.close();
  });

  function condition(type: string) {
    return kube.find(KafkaConnects, KEY)?.status?.conditions?.find((one) => one.type === type);
  }

  async function until(type: string, status: string, message = /./): Promise<void> {
    await eventually(`${type} is ${status}`, () => {
      const found = condition(type);
      return found?.status === status && message.test(found.message ?? "");
    });
  }

  function change(spec: Partial<KafkaConnect["spec"]>, annotations?: Readonly<Record<string, string>>): void {
    const current = kube.find(KafkaConnects, KEY);
    assert.ok(current !== null);
    const metadata = annotations === undefined ? current.metadata : { ...current.metadata, annotations };
    kube.put(KafkaConnects, { ...current, metadata, spec: { ...current.spec, ...spec } });
  }

  /** From now on: each status that says that the present generation is ready before `isDone`. */
  function watchReadiness(isDone: () => boolean): () => readonly unknown[] {
    const early: unknown[] = [];
    const from = (kube.find(KafkaConnects, KEY)?.metadata.generation ?? 0) + 1;
    const unsubscribe = kube.store(KafkaConnects).onChange(({ current }) => {
      const { observedGeneration = 0, conditions } = current?.status ?? {};
      const ready = conditions?.find(({ type }) => type === "Ready")?.status;
      if (observedGeneration >= from && ready === "True" && !isDone()) early.push(current?.status);
    });
    return () => {
      unsubscribe();
      return early;
    };
  }

  /** Drained workers give their work away at once. */
  function obeyDrains(): true {
    const drained = new Set(
      connect.calls.flatMap(({ ip, path }) => (path === "/headrace/drain" ? [`member-${ip}`] : [])),
    );
    const members = connect.group.members.map((member) => ({ ...member, draining: drained.has(member.memberId) }));
    connect.group = { ...connect.group, members };
    return true;
  }

  const uids = () => kube.all(Pods).map(({ metadata }) => metadata.uid ?? "");
  const ips = () => kube.all(Pods).map(({ status }) => status?.podIP ?? "");

  async function untilLevels(wanted: object): Promise<void> {
    await eventually("every worker has the levels", () =>
      ips().every((ip) => {
        const levels = connect.logLevels(ip);
        return Object.entries(wanted).every(([logger, level]) => levels[logger] === level);
      }),
    );
  }

  it("sets log levels on running workers and takes them back, without a roll", async () => {
    const before = uids();
    change({ logging: { type: "inline", loggers: { "rootLogger.level": "warn", "log4j.logger.org.x": "DEBUG, A" } } });
    await untilLevels({ root: "WARN", "org.x": "DEBUG" });
    change({ logging: { type: "inline", loggers: { "log4j.logger.org.y": "TRACE" } } });
    await untilLevels({ root: "INFO", "org.x": "INFO", "org.y": "TRACE" });
    assert.deepEqual(uids(), before);
    await connect.killWorker(ips()[1] ?? "");
    kube.remove(Pods, { namespace: "ns", name: "my-connect-connect-1" });
    await eventually("the pod is back", () => uids().length === 2 && !uids().includes(before[1] ?? ""));
    await untilLevels({ "org.y": "TRACE" });
  });

  it("takes log levels from a ConfigMap, and says what it does not find there", async () => {
    const configMapKeyRef = { name: "logs", key: "log4j2.properties" };
    change({ logging: { type: "external", valueFrom: { configMapKeyRef } } });
    await until("Warning", "True", /spec\.logging is not applied: ConfigMap logs with the key log4j2\.properties/);
    const text =
      "logger.x.name = org.x\nlogger.x.level = ERROR\nlogger.y.level = INFO\nappender.console.type = Console\n";
    kube.put(ConfigMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "ns", name: "logs" },
      data: { "log4j2.properties": text },
    });
    change({}, { look: "again" });
    await untilLevels({ root: "INFO", "org.x": "ERROR" });
    await until("Warning", "True", /^spec\.logging: logger\.y\.level has no logger\.y\.name beside it\.$/);
  });

  it("replaces a pod that is annotated, and then all of them", async () => {
    const before = uids();
    await kube.client.patch(
      Pods,
      { namespace: "ns", name: "my-connect-connect-1" },
      { metadata: { annotations: { "headrace.dev/manual-rolling-update": "true" } } },
      stop.signal,
    );
    await eventually("that pod is another one", () => obeyDrains() && !uids().includes(before[1] ?? ""));
    await until("Ready", "True");
    assert.deepEqual(sets.deleted, ["my-connect-connect-1"]);
    const annotations = { "strimzi.io/manual-rolling-update": "true" };
    await kube.client.patch(StatefulSets, WORKLOAD, { metadata: { annotations } }, stop.signal);
    await eventually("both pods are others", () => obeyDrains() && sets.deleted.length === 3 && uids().length === 2);
    await until("Ready", "True");
    const left = Object.keys(kube.find(StatefulSets, WORKLOAD)?.metadata.annotations ?? {});
    assert.deepEqual(
      left.filter((name) => name.endsWith("/manual-rolling-update")),
      [],
    );
  });

  it("resizes workers in place, and replaces those of which that is not possible", async () => {
    const inPlace = { "headrace.dev/in-place-resizing": "true" };
    const small = { limits: { memory: "1Gi" } };
    change({ resources: small }, inPlace);
    await eventually("both pods are others", () => obeyDrains() && sets.deleted.length === 2 && uids().length === 2);
    await until("Ready", "True");
    const before = uids();
    const early = watchReadiness(() => limits().every((limit) => limit === "2Gi"));
    const limits = () => kube.all(Pods).map(({ spec }) => spec?.containers[0]?.resources?.limits?.["memory"]);
    change({ resources: { limits: { memory: "2Gi" } } });
    await eventually("both are larger", () => limits().every((limit) => limit === "2Gi"));
    await until("Ready", "True");
    assert.deepEqual(uids(), before);
    assert.deepEqual(early(), []);
    kube.failNext("resize", "invalid", "memory limits cannot be decreased");
    change({ resources: small });
    await eventually("one is another one", () => obeyDrains() && sets.deleted.length === 3 && uids().length === 2);
    await eventually("both are smaller", () => limits().every((limit) => limit === "1Gi"));
    await until("Ready", "True");
    const events = kube.events.filter(({ reason }) => reason === "NotResizedInPlace").map(({ message }) => message);
    assert.equal(events.length, 1);
    assert.match(events[0] ?? "", /gets its resources by being replaced: memory limits cannot be decreased\.$/);
  });

  it("leaves a paused cluster alone, and goes on afterwards", async () => {
    change({ replicas: 1 }, { "headrace.dev/pause-reconciliation": "true" });
    await until("ReconciliationPaused", "True");
    assert.equal(condition("Ready")?.status, "True");
    assert.equal(kube.find(KafkaConnects, KEY)?.status?.observedGeneration, 1);
    assert.equal(kube.find(StatefulSets, WORKLOAD)?.spec?.replicas, 2);
    assert.deepEqual(sets.deleted, []);
    change({}, {});
    await eventually(
      "the change is made",
      () => obeyDrains() && kube.find(StatefulSets, WORKLOAD)?.spec?.replicas === 1,
    );
    await eventually("it is no longer paused", () => condition("ReconciliationPaused") === undefined);
  });

  it("does not begin with a cluster that was made paused", async () => {
    const metadata = {
      ...kafkaConnect().metadata,
      name: "other",
      uid: "other",
      annotations: { "strimzi.io/pause-reconciliation": "true" },
    };
    kube.put(KafkaConnects, kafkaConnect({}, { metadata }));
    const conditions = await eventually(
      "its status says so",
      () => kube.find(KafkaConnects, { namespace: "ns", name: "other" })?.status?.conditions,
    );
    assert.deepEqual(
      conditions.map(({ type, status }) => [type, status]),
      [
        ["NotReady", "True"],
        ["Ready", "Unknown"],
        ["Stalled", "True"],
        ["ReconciliationPaused", "True"],
      ],
    );
    assert.equal(kube.find(StatefulSets, { namespace: "ns", name: "other-connect" }), null);
  });
});
