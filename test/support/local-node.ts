import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Container, Pod, PodSpec, Terminated } from "#dev/agent/pod.ts";
import { type LocalAgent, startAgent } from "#dev/agent.ts";
import { repoRoot } from "#dev/cache.ts";
import { type ControlPlane, startControlPlane } from "#dev/control-plane.ts";
import type { Kubectl } from "#dev/kubectl.ts";
import { type KubernetesApi, openKubernetesApi } from "#dev/kubernetes-api.ts";
import { startTicks } from "#dev/process-table.ts";
import { eventually } from "./eventually.ts";
import { createNamespace } from "./kubernetes.ts";

/** Back-offs between restarts add up on a machine that stands still for a while. */
const POD_PATIENCE_MS = 240_000;

/** A control plane with one node, and pods that are easy to look into. */
export interface LocalNode {
  readonly api: KubernetesApi;
  readonly kubectl: Kubectl;
  readonly namespace: string;
  /** A directory of this machine that all pods see as `/shared`. */
  readonly shared: string;
  readonly agent: () => LocalAgent;
  /** Starts the agent again after it was stopped or killed. */
  restartAgent(): Promise<void>;
  apply(...objects: readonly object[]): Promise<void>;
  pod(name: string): Promise<PodView | undefined>;
  /** Waits until the pod is as wanted. */
  until(name: string, what: string, condition: (pod: PodView) => boolean): Promise<PodView>;
  /** Asks the pod's server. */
  ask(pod: PodView, path: string): Promise<string>;
  stop(): Promise<void>;
}

/** The parts of a pod that the tests look at. */
export interface PodView {
  readonly name: string;
  readonly uid: string;
  readonly ip: string;
  readonly phase: string;
  readonly ready: boolean;
  readonly container: {
    readonly restartCount: number;
    readonly pid: number | undefined;
    readonly waiting: string | undefined;
    readonly running: boolean;
    readonly terminated: Terminated | undefined;
    readonly last: Terminated | undefined;
  };
}

interface ApiPod extends Pod {
  readonly status?: NonNullable<Pod["status"]> & {
    readonly podIP?: string;
    readonly containerStatuses?: readonly {
      readonly restartCount: number;
      readonly containerID?: string;
      readonly state: {
        readonly waiting?: { readonly reason: string };
        readonly running?: object;
        readonly terminated?: Terminated;
      };
      readonly lastState: { readonly terminated?: Terminated };
    }[];
  };
}

const signal = () => AbortSignal.timeout(60_000);

export async function startLocalNode(options: { readonly restartBackOffMs: number }): Promise<LocalNode> {
  const dir = mkdtempSync(join(tmpdir(), "headrace-node-"));
  const shared = join(dir, "shared");
  mkdirSync(shared);
  const images = join(dir, "images.json");
  const env = { PATH: `${repoRoot}/node_modules/.bin:$(PATH)` };
  writeFileSync(images, JSON.stringify({ server: { path: join(repoRoot, "test/support"), env } }));
  const controlPlane: ControlPlane = await startControlPlane({ dir: join(dir, "kubernetes") });
  const start = () =>
    startAgent({
      dir: join(dir, "agent"),
      kubeconfig: controlPlane.nodeKubeconfig("local"),
      images,
      shutdownGraceMs: 30_000,
      ...options,
    });
  let agent = await start();
  const api = openKubernetesApi(controlPlane.adminKubeconfig);
  const namespace = await createNamespace(api);
  const kubectl: Kubectl = (args, more) => controlPlane.kubectl(["-n", namespace, ...args], more);

  const pod = async (name: string) => {
    const path = `/api/v1/namespaces/${namespace}/pods?fieldSelector=metadata.name%3D${name}`;
    const { items } = await api.request<{ items: readonly ApiPod[] }>({ path }, signal());
    return items[0] === undefined ? undefined : toView(items[0]);
  };
  return {
    api,
    kubectl,
    namespace,
    shared,
    agent: () => agent,
    restartAgent: async () => {
      agent = await start();
    },
    apply: async (...objects) => {
      const list = { apiVersion: "v1", kind: "List", items: objects };
      await kubectl(["apply", "-f", "-"], { input: JSON.stringify(list) });
    },
    pod,
    until: (name, what, condition) =>
      eventually(
        `pod ${name} ${what}`,
        async () => {
          const found = await pod(name);
          return found !== undefined && condition(found) && found;
        },
        POD_PATIENCE_MS,
      ),
    ask: async ({ ip }, path) => {
      const response = await fetch(`http://${ip}:8083${path}`, { signal: AbortSignal.timeout(30_000) });
      return await response.text();
    },
    stop: async () => {
      api.close();
      await agent.stop();
      await controlPlane.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A container that runs `pod-server.ts`. */
export function serverContainer(shared: string, more: Partial<Container> = {}): Container {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return {
    name: "server",
    image: "server",
    command: ["node", "pod-server.ts"],
    ...more,
    env: [
      field("POD_IP", "status.podIP"),
      field("POD_NAME", "metadata.name"),
      { name: "SHARED", value: shared },
      ...(more.env ?? []),
    ],
  };
}

export function podManifest(name: string, spec: Partial<PodSpec> & Pick<PodSpec, "containers">): object {
  return { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { terminationGracePeriodSeconds: 60, ...spec } };
}

export function statefulSetManifest(
  name: string,
  replicas: number,
  spec: Partial<PodSpec> & Pick<PodSpec, "containers">,
): object {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name },
    spec: {
      replicas,
      podManagementPolicy: "Parallel",
      serviceName: name,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 60, ...spec } },
    },
  };
}

/** Whether a process runs; one that has ended and was not collected by its parent yet does not. */
export function isAlive(pid: number): boolean {
  return startTicks(pid) !== null;
}

function toView({ metadata, status }: ApiPod): PodView {
  const container = status?.containerStatuses?.[0];
  const pid = /^process:\/\/(\d+)-/.exec(container?.containerID ?? "")?.[1];
  return {
    name: metadata.name,
    uid: metadata.uid,
    ip: status?.podIP ?? "",
    phase: status?.phase ?? "",
    ready: status?.conditions?.find(({ type }) => type === "Ready")?.status === "True",
    container: {
      restartCount: container?.restartCount ?? 0,
      pid: pid === undefined ? undefined : Number(pid),
      waiting: container?.state.waiting?.reason,
      running: container?.state.running !== undefined,
      terminated: container?.state.terminated,
      last: container?.lastState.terminated,
    },
  };
}
