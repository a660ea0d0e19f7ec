import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { desire } from "#operator/cluster/desired.ts";
import { createRackRights, maintainRackRights, type RackRights } from "#operator/cluster/rack-rights.ts";
import { createClusterReconcile } from "#operator/cluster/reconcile.ts";
import { buildStatefulSet } from "#operator/cluster/stateful-set.ts";
import { createController } from "#operator/controller/controller.ts";
import { settled } from "#operator/controller/outcome.ts";
import { KafkaConnects } from "#operator/kinds.ts";
import { KubeError } from "#operator/kube/errors.ts";
import { ClusterRoleBindings, Pods, StatefulSets } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { createConnectClient } from "#operator/worker/connect-client.ts";
import { createWorkerTrust } from "#operator/worker/trust.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";

describe("rights to read nodes", () => {
  const signal = AbortSignal.timeout(60_000);
  const RACK = { type: "topology-label", topologyKey: "example.com/rack" } as const;
  let kube: FakeKube;
  let nowMs: number;

  beforeEach(() => {
    kube = createFakeKube();
    nowMs = 1_000;
  });

  const stores = () => ({ connects: kube.store(KafkaConnects), statefulSets: kube.store(StatefulSets) });
  const cluster = (name: string, spec: Parameters<typeof kafkaConnect>[0] = {}) => {
    const connect = kafkaConnect(spec);
    return { ...connect, metadata: { ...connect.metadata, name } };
  };
  const subjects = () =>
    kube.find(ClusterRoleBindings, { namespace: "", name: "racks" })?.subjects?.map(({ name }) => name);

  function open(client: Parameters<typeof createRackRights>[0]["kube"] = kube.client): RackRights {
    const rights = createRackRights({ kube: client, binding: "racks", now: () => nowMs });
    rights.follow(stores());
    return rights;
  }

  it("are those of the clusters that ask for a label, in a fixed order", async () => {
    for (const connect of [cluster("b", { rack: RACK }), cluster("plain"), cluster("a", { rack: RACK })])
      kube.put(KafkaConnects, connect);
    await open().keep(signal);
    assert.deepEqual(kube.find(ClusterRoleBindings, { namespace: "", name: "racks" })?.subjects, [
      { kind: "ServiceAccount", name: "a-connect", namespace: "ns" },
      { kind: "ServiceAccount", name: "b-connect", namespace: "ns" },
    ]);
  });

  it("stay with a cluster that asks no more until its pods come without", async () => {
    const surroundings = {
      credentials: { trusted: null, hash: "", problems: [] },
      named: { secrets: [], configMaps: [] },
      ...{ operator: null, loggingText: null, mayReadNodes: true },
    };
    const workload = (connect: ReturnType<typeof kafkaConnect>) =>
      buildStatefulSet(connect, desire(connect, "w", surroundings).template, 3);
    const before = cluster("a", { rack: RACK });
    kube.put(StatefulSets, workload(before));
    kube.put(KafkaConnects, cluster("a"));
    const rights = open();
    await rights.keep(signal);
    assert.deepEqual(subjects(), ["a-connect"], "a pod that is lost comes back at the StatefulSet's template");
    kube.put(StatefulSets, workload(cluster("a")));
    await rights.keep(signal);
    assert.deepEqual(subjects(), []);
    kube.put(StatefulSets, workload(before));
    kube.remove(KafkaConnects, { namespace: "ns", name: "a" });
    await rights.keep(signal);
    assert.deepEqual(subjects(), [], "a cluster that is gone needs none");
  });

  /** Notes how many subjects each call gives; `answer` says when and how it ends. */
  function recorder(answer: (limit: AbortSignal) => Promise<void>) {
    const applied: number[] = [];
    const state = { running: 0, most: 0 };
    return {
      applied,
      state,
      async apply<T extends object>(_type: unknown, object: T, limit: AbortSignal): Promise<T> {
        state.running += 1;
        state.most = Math.max(state.most, state.running);
        try {
          await answer(limit);
        } finally {
          state.running -= 1;
        }
        applied.push("subjects" in object && Array.isArray(object.subjects) ? object.subjects.length : -1);
        return object;
      },
    };
  }

  it("are given and taken one after the other, and not again soon if nothing has changed", async () => {
    const calls = recorder(() => new Promise(setImmediate));
    kube.put(KafkaConnects, cluster("a", { rack: RACK }));
    const rights = open(calls);
    const others = createFakeKube();
    others.put(KafkaConnects, cluster("b", { rack: RACK }));
    const unfollow = rights.follow({ connects: others.store(KafkaConnects), statefulSets: others.store(StatefulSets) });
    await Promise.all([rights.keep(signal), rights.keep(signal)]);
    const older = rights.keep(signal);
    kube.put(KafkaConnects, cluster("a"));
    await Promise.all([older, rights.keep(signal), rights.keep(signal)]);
    unfollow();
    await rights.keep(signal);
    assert.deepEqual([calls.applied, calls.state.most], [[2, 1, 0], 1]);
    nowMs += 60_000;
    await rights.keep(signal);
    assert.deepEqual(calls.applied, [2, 1, 0, 0]);
  });

  it("that could not be given are tried again, and whoever asked is told", async () => {
    let refusals = 1;
    const calls = recorder(async () => {
      if (refusals-- > 0) throw new Error("forbidden");
    });
    const rights = open(calls);
    const both = [rights.keep(signal), rights.keep(signal)];
    for (const one of both) await assert.rejects(one, /forbidden/);
    await rights.keep(signal);
    assert.deepEqual(calls.applied, [0]);
  });

  it("are waited for no longer than there is time, and asked for anew when the time of who asked is up", async () => {
    const calls = recorder(
      (limit) => new Promise((_, reject) => limit.addEventListener("abort", () => reject(limit.reason))),
    );
    const rights = open(calls);
    const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
    const asked = [first, second, third].map((one) => rights.keep(one.signal).then(String, String));
    second.abort("second");
    assert.equal(await asked[1], "second");
    first.abort("first");
    assert.equal(await asked[0], "first");
    await eventually("the third asks itself", () => calls.state.running === 1);
    third.abort("third");
    assert.equal(await asked[2], "third");
  });

  it("hold up no other cluster while a call for them hangs", async () => {
    const calls = recorder(
      (limit) => new Promise((_, reject) => limit.addEventListener("abort", () => reject(limit.reason))),
    );
    const rights = open(calls);
    const hanging = new AbortController();
    const first = rights.keep(hanging.signal).catch(() => {});
    const seen: string[] = [];
    const controller = createController({
      name: "test",
      log: createLog("silent"),
      concurrency: 1,
      async reconcile({ name }, limit) {
        seen.push(name);
        if (name === "waiting") await rights.keep(limit);
        return settled;
      },
    });
    const stop = new AbortController();
    const running = controller.run(stop.signal);
    for (const name of ["waiting", "next"]) controller.enqueue({ namespace: "ns", name });
    await eventually("the next has its turn", () => seen.includes("next"));
    stop.abort();
    hanging.abort();
    await Promise.all([running, first]);
  });

  it("that the operator may not give keep nobody from working who does not ask for them", async () => {
    for (const connect of [cluster("plain"), cluster("asking", { rack: RACK })]) kube.put(KafkaConnects, connect);
    const rackRights = open({
      async apply() {
        throw new KubeError("forbidden", "clusterrolebindings racks may not be patched", { status: 403 });
      },
    });
    const reconcile = createClusterReconcile({
      kube: kube.client,
      connect: createConnectClient(),
      trust: createWorkerTrust(kube.client, Date.now),
      stores: { ...stores(), pods: kube.store(Pods) },
      events: kube.recorder,
      log: createLog("silent"),
      defaultImage: "w",
      now: Date.now,
      rackRights,
    });
    const reasonOf = (name: string) =>
      kube.find(KafkaConnects, { namespace: "ns", name })?.status?.conditions?.find(({ type }) => type === "Ready");
    for (const name of ["plain", "asking"])
      for (let step = 0; step < 4; step += 1) await reconcile({ namespace: "ns", name }, signal);
    assert.deepEqual(
      kube.all(StatefulSets).map(({ metadata }) => metadata.name),
      ["plain-connect"],
    );
    assert.match(reasonOf("asking")?.message ?? "", /racks may not be patched/);
  });

  it("are taken from clusters that are gone when an operator starts, though none is reconciled", async () => {
    const stop = new AbortController();
    let asked = 0;
    const rights = {
      follow: () => () => {},
      async keep() {
        asked += 1;
        stop.abort();
        throw new Error("forbidden");
      },
    };
    await maintainRackRights({ rights, isComplete: true, log: createLog("silent") }, stop.signal);
    assert.equal(asked, 1);
  });
});
