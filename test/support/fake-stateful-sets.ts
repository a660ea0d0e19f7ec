import { type Pod, Pods, type StatefulSet, StatefulSets } from "#operator/kube/resources.ts";
import type { FakeConnect } from "./fake-connect.ts";
import type { FakeKube } from "./fake-kube.ts";

/** Stands for the StatefulSet controller, the kubelet and the workers' processes of the fake API server. */
export interface FakeStatefulSets {
  /** Whether a pod that is made from this template becomes ready. */
  healthy: (template: Pod) => boolean;
  /** What a preflight pod finds wrong; null if nothing is, undefined if it does not end. */
  check: (pod: Pod) => string | null | undefined;
  readonly deleted: readonly string[];
  setReady(ordinal: number, ready: boolean): void;
  stop(): Promise<void>;
}

const isPreflight = ({ metadata }: Pod) => metadata.name.includes("-preflight-");

/** Makes and removes pods as StatefulSets ask, with OnDelete; each healthy pod is a worker of `connect`. */
export function runFakeStatefulSets(kube: FakeKube, connect: FakeConnect): FakeStatefulSets {
  const deleted: string[] = [];
  let work = Promise.resolve();
  let nextIp = 1;

  function ordinalOf(pod: Pod): number {
    return Number(pod.metadata.name.split("-").at(-1));
  }

  async function makePod(set: StatefulSet, ordinal: number): Promise<void> {
    const { namespace = "", name } = set.metadata;
    const template = set.spec?.template;
    const ip = `10.0.0.${nextIp}`;
    nextIp += 1;
    const { labels = {}, annotations = {} } = template?.metadata ?? {};
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace, name: `${name}-${ordinal}`, labels, annotations },
      ...(template?.spec === undefined ? {} : { spec: template.spec }),
      status: { podIP: ip, conditions: [{ type: "Ready", status: "False" }] },
    };
    kube.put(Pods, pod);
    if (!fake.healthy(pod)) return;
    await connect.addWorker(ip);
    const member = { memberId: `member-${ip}`, url: `http://${ip}:8083/`, draining: false };
    connect.group = {
      ...connect.group,
      members: [...connect.group.members, { ...member, assignment: { connectors: [], tasks: [] } }],
    };
    kube.put(Pods, { ...pod, status: { podIP: ip, conditions: [{ type: "Ready", status: "True" }] } });
  }

  function runCheck(pod: Pod): void {
    const problem = fake.check(pod);
    if (problem === undefined || pod.status?.phase !== undefined) return;
    const phase = problem === null ? "Succeeded" : "Failed";
    const terminated = {
      exitCode: problem === null ? 0 : 1,
      message: problem ?? "",
      finishedAt: new Date().toISOString(),
    };
    const name = pod.spec?.containers[0]?.name ?? "check";
    const container = { name, image: "", imageID: "", ready: false, restartCount: 0, state: { terminated } };
    kube.put(Pods, { ...pod, status: { phase, containerStatuses: [container] } });
  }

  async function leave(pod: Pod): Promise<void> {
    if (isPreflight(pod)) return;
    deleted.push(pod.metadata.name);
    const ip = pod.status?.podIP ?? "";
    await connect.killWorker(ip);
    const members = connect.group.members.filter(({ memberId }) => memberId !== `member-${ip}`);
    connect.group = { ...connect.group, members };
  }

  async function sync(): Promise<void> {
    for (const set of kube.all(StatefulSets)) {
      const { namespace = "", name } = set.metadata;
      const replicas = set.spec?.replicas ?? 0;
      const own = kube.all(Pods).filter((pod) => pod.metadata.name.startsWith(`${name}-`) && !isPreflight(pod));
      for (const pod of own.filter((one) => ordinalOf(one) >= replicas)) {
        kube.remove(Pods, { namespace, name: pod.metadata.name });
      }
      for (let ordinal = 0; ordinal < replicas; ordinal += 1) {
        if (kube.find(Pods, { namespace, name: `${name}-${ordinal}` }) === null) await makePod(set, ordinal);
      }
    }
  }

  const subscriptions = [
    kube.store(StatefulSets).onChange(() => {
      work = work.then(sync);
    }),
    kube.store(Pods).onChange(({ previous, current }) => {
      if (current !== undefined && isPreflight(current)) work = work.then(() => runCheck(current));
      if (previous === undefined || current !== undefined) return;
      work = work.then(() => leave(previous)).then(sync);
    }),
  ];

  const fake: FakeStatefulSets = {
    healthy: () => true,
    check: () => null,
    deleted,
    setReady(ordinal, ready) {
      const pod = kube.all(Pods).find((one) => ordinalOf(one) === ordinal);
      if (pod === undefined) throw new Error(`no pod ${ordinal}`);
      kube.put(Pods, {
        ...pod,
        status: { ...pod.status, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
      });
    },
    async stop() {
      for (const unsubscribe of subscriptions) unsubscribe();
      await work;
    },
  };
  return fake;
}
