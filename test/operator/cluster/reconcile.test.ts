import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { RackRights } from "#operator/cluster/rack-rights.ts";
import { type ClusterReconcileDeps, createClusterReconcile } from "#operator/cluster/reconcile.ts";
import type { Reconcile } from "#operator/controller/controller.ts";
import { retryAfter, settled } from "#operator/controller/outcome.ts";
import { KafkaConnects } from "#operator/kinds.ts";
import type { ResourceType } from "#operator/kube/client.ts";
import { KubeError, toKubeError } from "#operator/kube/errors.ts";
import { ConfigMaps, Pods, RoleBindings, Secrets, Services, StatefulSets } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { createConnectClient } from "#operator/worker/connect-client.ts";
import { createWorkerTrust } from "#operator/worker/trust.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";
import { kstatusOf } from "#support/kstatus.ts";

const KEY = { namespace: "ns", name: "my-connect" };
const signal = AbortSignal.timeout(60_000);

describe("createClusterReconcile", () => {
  let kube: FakeKube;
  let applied: string[];

  beforeEach(() => {
    kube = createFakeKube();
    kube.put(KafkaConnects, kafkaConnect());
    applied = [];
  });

  /** As of an operator that has just started. */
  function start(rackRights?: RackRights, changes: Partial<ClusterReconcileDeps> = {}): Reconcile {
    const client: typeof kube.client = {
      ...kube.client,
      async apply(type, object, limit) {
        applied.push(type.kind);
        return await kube.client.apply(type, object, limit);
      },
    };
    return createClusterReconcile({
      kube: client,
      connect: createConnectClient(),
      trust: createWorkerTrust(client, Date.now),
      stores: {
        connects: kube.store(KafkaConnects),
        statefulSets: kube.store(StatefulSets),
        pods: kube.store(Pods),
      },
      events: kube.recorder,
      log: createLog("silent"),
      defaultImage: "headrace/worker:default",
      now: Date.now,
      ...(rackRights !== undefined && { rackRights }),
      ...changes,
    });
  }

  const made = () => {
    const types: readonly ResourceType[] = [Secrets, Services, RoleBindings, StatefulSets];
    return types.map((type) => kube.all(type).length);
  };

  it("says that it is on its way, then makes certificates, child objects and pods, and comes again at once in between", async () => {
    const reconcile = start();
    assert.equal(kstatusOf(kube.find(KafkaConnects, KEY) ?? assert.fail()), "Current", "so it counts without a status");
    assert.deepEqual(await reconcile(KEY, signal), retryAfter(0));
    assert.equal(kstatusOf(kube.find(KafkaConnects, KEY) ?? assert.fail()), "InProgress");
    assert.deepEqual(made(), [0, 0, 0, 0]);
    assert.deepEqual(await reconcile(KEY, signal), retryAfter(0));
    assert.deepEqual(made(), [3, 0, 0, 0]);
    assert.deepEqual(await reconcile(KEY, signal), retryAfter(0));
    assert.deepEqual(made(), [3, 2, 1, 0]);
    assert.notDeepEqual(await reconcile(KEY, signal), retryAfter(0));
    assert.deepEqual(made(), [3, 2, 1, 1]);
  });

  for (const steps of [1, 2, 3, 4]) {
    it(`goes on after an operator that ended after ${steps} of its steps`, async () => {
      const former = start();
      for (let step = 0; step < steps; step += 1) await former(KEY, signal);
      const authority = kube.find(Secrets, { namespace: "ns", name: "my-connect-connect-ca" })?.data;
      const reconcile = start();
      for (let step = 0; step < 4; step += 1) await reconcile(KEY, signal);
      assert.deepEqual(made(), [3, 2, 1, 1]);
      const kept = kube.find(Secrets, { namespace: "ns", name: "my-connect-connect-ca" })?.data;
      if (steps > 1) assert.deepEqual(kept, authority, "the authority that there was is kept");
      assert.equal(kube.find(KafkaConnects, KEY)?.status?.observedGeneration, 1);
    });
  }

  it("says so of one, too, that was made paused and is not paused any more", async () => {
    const { metadata, ...rest } = kafkaConnect();
    const annotations = { "headrace.dev/pause-reconciliation": "true" };
    kube.put(KafkaConnects, { ...rest, metadata: { ...metadata, annotations } });
    const reconcile = start();
    await reconcile(KEY, signal);
    const paused = kube.find(KafkaConnects, KEY) ?? assert.fail();
    assert.equal(kstatusOf(paused), "Failed");
    kube.put(KafkaConnects, { ...paused, metadata: { ...paused.metadata, annotations: {} } });
    await reconcile(KEY, signal);
    assert.equal(kstatusOf(kube.find(KafkaConnects, KEY) ?? assert.fail()), "InProgress");
  });

  it("lets workers read nodes before there are any, and needs no right to for those that do not ask", async () => {
    const refused: RackRights = {
      follow: () => () => {},
      async keep() {
        throw new KubeError("forbidden", "may not patch");
      },
    };
    const withRack = { ...KEY, name: "by-rack" };
    const { metadata, spec, ...rest } = kafkaConnect({ rack: { type: "topology-label", topologyKey: "rack" } });
    kube.put(KafkaConnects, { ...rest, spec, metadata: { ...metadata, name: withRack.name, uid: "by-rack" } });
    const reconcile = start(refused);
    for (const key of [KEY, withRack]) for (let step = 0; step < 4; step += 1) await reconcile(key, signal);
    assert.deepEqual(
      kube.all(StatefulSets).map((made_) => made_.metadata.name),
      ["my-connect-connect"],
    );
    const ready = kube.find(KafkaConnects, withRack)?.status?.conditions?.find(({ type }) => type === "Ready");
    assert.equal(ready?.reason, "Refused");
    assert.match(ready?.message ?? "", /may not patch/);
    kube.remove(KafkaConnects, withRack);
    await reconcile(withRack, signal);
  });

  it("tells that the API server fails to read what new workers need, and makes them once it does not", async () => {
    kube.put(KafkaConnects, kafkaConnect({ config: { a: `$\{secrets:creds:pw}` } }));
    const metadata = { namespace: "ns", name: "creds" };
    kube.put(Secrets, { apiVersion: "v1", kind: "Secret", metadata, data: { pw: "MQ==" } });
    let nowMs = Date.now();
    let fails = true;
    const get: typeof kube.client.get = async (type, key, limit) => {
      if (fails && key.name === "creds") throw toKubeError("getting secrets ns/creds", 500, "KMS is away", null);
      return await kube.client.get(type, key, limit);
    };
    const reconcile = start(undefined, { kube: { ...kube.client, get }, now: () => nowMs });
    const ready = () => kube.find(KafkaConnects, KEY)?.status?.conditions?.find(({ type }) => type === "Ready");
    await reconcile(KEY, signal);
    await assert.rejects(reconcile(KEY, signal), /the API answered 500/);
    nowMs += 11_000;
    assert.notDeepEqual(await reconcile(KEY, signal), settled);
    assert.equal(ready()?.reason, "RequestFailed");
    assert.match(ready()?.message ?? "", /getting secrets ns\/creds: the API answered 500/);
    fails = false;
    for (let step = 0; step < 4; step += 1) await reconcile(KEY, signal);
    assert.equal(kube.all(StatefulSets).length, 1);

    // Those that are there get more, while it is said that something is not known.
    fails = true;
    kube.put(KafkaConnects, {
      ...(kube.find(KafkaConnects, KEY) ?? assert.fail()),
      spec: { ...kafkaConnect().spec, replicas: 5, config: { a: `$\{secrets:creds:pw}` } },
    });
    assert.notDeepEqual(await reconcile(KEY, signal), settled);
    assert.equal(kube.all(StatefulSets)[0]?.spec?.replicas, 5);
    const warning = kube.find(KafkaConnects, KEY)?.status?.conditions?.find(({ type }) => type === "Warning");
    assert.match(warning?.message ?? "", /Secret creds cannot be read: .*500/);
  });

  it("lets Java's workers become fewer while nobody knows the rules of their metrics", async () => {
    const artifact = {
      type: "maven",
      group: "io.prometheus.jmx",
      artifact: "jmx_prometheus_javaagent",
      version: "1.0.1",
    } as const;
    const valueFrom = { configMapKeyRef: { name: "metrics", key: "k" } };
    const connect = (replicas: number) =>
      kafkaConnect({
        ...{ runtime: "Jvm", image: "kafka:1", replicas, metricsConfig: { type: "jmxPrometheusExporter", valueFrom } },
        build: { plugins: [{ name: "jmx", artifacts: [artifact] }] },
      });
    kube.put(KafkaConnects, connect(3));
    const metadata = { namespace: "ns", name: "metrics" };
    kube.put(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { k: "rules: []" } });
    let refuses = false;
    const get: typeof kube.client.get = async (type, key, limit) => {
      if (refuses && type === ConfigMaps) throw new KubeError("forbidden", "may not read ConfigMaps");
      return await kube.client.get(type, key, limit);
    };
    const reconcile = start(undefined, { kube: { ...kube.client, get } });
    for (let step = 0; step < 5; step += 1) await reconcile(KEY, signal);
    const template = kube.all(StatefulSets)[0]?.spec?.template ?? assert.fail();
    refuses = true;
    kube.put(KafkaConnects, { ...connect(2), status: kube.find(KafkaConnects, KEY)?.status ?? {} });
    assert.deepEqual(await reconcile(KEY, signal), retryAfter(30_000));
    const [set] = kube.all(StatefulSets);
    assert.deepEqual([set?.spec?.replicas, set?.spec?.template], [2, template]);
    const ready = kube.find(KafkaConnects, KEY)?.status?.conditions?.find(({ type }) => type === "Ready");
    assert.deepEqual([ready?.reason, /may not read ConfigMaps/.test(ready?.message ?? "")], ["Refused", true]);
  });

  it("applies a StatefulSet again only if it, or what is wanted, has changed", async () => {
    const reconcile = start();
    for (let step = 0; step < 6; step += 1) await reconcile(KEY, signal);
    const applications = () => applied.filter((kind) => kind === StatefulSets.kind).length;
    assert.equal(applications(), 1);
    const workload = { namespace: "ns", name: "my-connect-connect" };
    await kube.client.patch(StatefulSets, workload, { spec: { replicas: 7 } }, signal);
    await reconcile(KEY, signal);
    assert.equal(kube.find(StatefulSets, workload)?.spec?.replicas, 3);
    assert.equal(applications(), 2);
    kube.remove(StatefulSets, workload);
    await reconcile(KEY, signal);
    assert.equal(applications(), 3);
  });
});
