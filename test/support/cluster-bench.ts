import assert from "node:assert/strict";
import type { Condition, KafkaConnectStatus } from "@headrace/contract";
import { createClusterController } from "#operator/cluster/controller.ts";
import { type KafkaConnect, KafkaConnects } from "#operator/kinds.ts";
import { type Pod, Pods, StatefulSets } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { createConnectClient } from "#operator/worker/connect-client.ts";
import { createWorkerTrust } from "#operator/worker/trust.ts";
import { eventually } from "./eventually.ts";
import { createFakeConnect, type FakeConnect } from "./fake-connect.ts";
import { createFakeKube, type FakeKube } from "./fake-kube.ts";
import { type FakeStatefulSets, runFakeStatefulSets } from "./fake-stateful-sets.ts";
import { contradictions, type Kstatus, kstatusOf } from "./kstatus.ts";

/** What a change of the KafkaConnect left behind. */
export interface ClusterMoment {
  readonly generation: number;
  readonly kstatus: Kstatus;
  readonly reason: string;
  readonly resource: KafkaConnect;
}

/** The cluster controller on a Kubernetes in memory, with pods that are made at once and workers over real HTTP. */
export interface ClusterBench {
  readonly kube: FakeKube;
  readonly connect: FakeConnect;
  readonly sets: FakeStatefulSets;
  /** Every state that the KafkaConnect was in, in order. */
  readonly moments: readonly ClusterMoment[];
  /** Statuses that the operator has written so far. */
  statusWrites(): number;
  condition(type: string): Condition | undefined;
  /** Waits until Ready of the present generation has this reason. Meanwhile, drained workers give their work away at once. */
  ready(reason: string): Promise<Condition>;
  change(change: (connect: KafkaConnect) => KafkaConnect): void;
  changeSpec(spec: Partial<KafkaConnect["spec"]>): void;
  /** The workers' pods. */
  pods(): readonly Pod[];
  /** Moves the operator's clock. */
  advance(ms: number): void;
  /** Stops everything; fails if a status contradicted itself at any moment. */
  close(): Promise<void>;
}

const KEY = { namespace: "ns", name: "my-connect" };

export function openClusterBench(): ClusterBench {
  const kube = createFakeKube();
  const connect = createFakeConnect();
  const sets = runFakeStatefulSets(kube, connect);
  const stop = new AbortController();
  const moments: ClusterMoment[] = [];
  const wrong: string[] = [];
  let aheadMs = 0;
  let written = 0;

  kube.store(KafkaConnects).onChange(({ current }) => {
    if (current === undefined) return;
    const ready = current.status?.conditions?.find(({ type }) => type === "Ready");
    wrong.push(...contradictions(current).map((text) => `${text} (${ready?.reason}: ${ready?.message})`));
    const { generation = 0 } = current.metadata;
    moments.push({ generation, kstatus: kstatusOf(current), reason: ready?.reason ?? "", resource: current });
  });

  const client: FakeKube["client"] = {
    ...kube.client,
    applyStatus(type, object, signal) {
      written += 1;
      return kube.client.applyStatus(type, object, signal);
    },
  };
  const running = createClusterController({
    kube: client,
    connect: createConnectClient({ endpoint: connect.endpoint, readTimeoutMs: 1_000 }),
    trust: createWorkerTrust(kube.client, Date.now),
    stores: { connects: kube.store(KafkaConnects), statefulSets: kube.store(StatefulSets), pods: kube.store(Pods) },
    events: kube.recorder,
    log: createLog("silent"),
    defaultImage: "headrace/worker:default",
    now: () => Date.now() + aheadMs,
  }).run(stop.signal);

  function obeyDrains(): void {
    const drained = new Set(connect.calls.filter(({ path }) => path === "/headrace/drain").map(({ ip }) => ip));
    const members = connect.group.members.map((member) => ({
      ...member,
      draining: drained.has(member.memberId.replace("member-", "")),
    }));
    connect.group = { ...connect.group, members };
  }

  const bench: ClusterBench = {
    kube,
    connect,
    sets,
    moments,
    statusWrites: () => written,
    condition: (type) => kube.find(KafkaConnects, KEY)?.status?.conditions?.find((one) => one.type === type),
    async ready(reason) {
      return await eventually(`Ready has the reason ${reason}`, () => {
        obeyDrains();
        const resource = kube.find(KafkaConnects, KEY);
        const status: KafkaConnectStatus = resource?.status ?? {};
        const one = bench.condition("Ready");
        return one?.reason === reason && status.observedGeneration === resource?.metadata.generation ? one : undefined;
      });
    },
    change(change) {
      const current = kube.find(KafkaConnects, KEY);
      assert.ok(current !== null);
      kube.put(KafkaConnects, change(current));
    },
    changeSpec: (spec) => bench.change((current) => ({ ...current, spec: { ...current.spec, ...spec } })),
    pods: () => kube.all(Pods).filter(({ metadata }) => !metadata.name.includes("-preflight-")),
    advance(ms) {
      aheadMs += ms;
    },
    async close() {
      stop.abort();
      await running;
      await sets.stop();
      await connect.close();
      assert.deepEqual([...new Set(wrong)], []);
    },
  };
  return bench;
}
