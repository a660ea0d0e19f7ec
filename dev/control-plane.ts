import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Credentials, type Identity, writeCredentials } from "./control-plane/credentials.ts";
import { CLAIM_PORT, type ClusterNetwork, chooseNetwork } from "./control-plane/network.ts";
import { userRoles } from "./control-plane/user-roles.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";
import { ApiError, type KubernetesApi, openKubernetesApi } from "./kubernetes-api.ts";
import { freePorts, type LocalProcess, logTail, startProcess, waitUntilReady } from "./process.ts";
import { buildKubernetes } from "./setup/kubernetes.ts";

/** A real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler. */
export interface ControlPlane {
  readonly dir: string;
  /** URL of the API server. */
  readonly server: string;
  /** The pods' network; each node gets a part of it as its `spec.podCIDR`. */
  readonly podCidr: string;
  /** Kubeconfig file of a cluster administrator. */
  readonly adminKubeconfig: string;
  /** Kubeconfig file of a developer: the role `edit` in all namespaces, Headrace's resources included. */
  readonly userKubeconfig: string;
  /** Kubeconfig file of kube-proxy on any node. */
  readonly proxyKubeconfig: string;
  /** Kubeconfig file of a node's agent; throws for a node that was not named at the start. */
  nodeKubeconfig(node: string): string;
  readonly kubectlPath: string;
  /** kubectl as administrator. */
  readonly kubectl: Kubectl;
  /** In the order of their start. */
  readonly processes: readonly LocalProcess[];
  /** Stops everything. State stays in `dir`, but the next start there begins afresh. Idempotent. */
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** For state, credentials and logs; must be this control plane's own. What is there is removed. */
  readonly dir: string;
  /** The nodes that may register. Default: `local`. */
  readonly nodes?: readonly string[];
  /** Admission plugins of the API server beside those that are on by default. */
  readonly admissionPlugins?: readonly string[];
  /** Further arguments of the API server. */
  readonly apiserverArgs?: readonly string[];
  /**
   * A network that pods reach, which its caller has made and gives to nodes by itself: Services get Endpoints there. Default: a loopback network,
   * whose addresses Endpoints refuse.
   */
  readonly network?: ClusterNetwork;
  /** true: outlives this process. Otherwise it ends with it, however that ends. */
  readonly detached?: boolean;
}

const READY_TIMEOUT_MS = 240_000;
/** Of Services. Its first address is the API server's. */
export const SERVICE_CIDR = "10.0.0.0/16";
const API_SERVICE_ADDRESS = "10.0.0.1";

/**
 * Starts a fresh control plane with an empty etcd; resolves when it is ready for workloads. RBAC and node authorization are on.
 * Any number run side by side, each on a loopback network of its own. If it cannot start, everything is stopped again.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const binaries = await buildKubernetes();
  const nodes = options.nodes ?? ["local"];
  const { dir } = options;
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true, mode: 0o700 });

  const processes: LocalProcess[] = [];
  const start = async (name: string, command: string, args: readonly string[]) => {
    const started = await startProcess({
      name,
      command,
      args,
      env: { KUBECONFIG: undefined },
      cwd: dir,
      logFile: join(dir, `${name}.log`),
      ...(options.detached === true ? { detached: true } : { signalAtParentsEnd: "SIGKILL" as const }),
    });
    processes.push(started);
    return started;
  };
  const stop = async () => {
    for (const process_ of processes.toReversed()) await process_.kill(); // Nothing in it outlives a start.
  };

  try {
    const network = await startEtcd(binaries.etcd, { dir, start, processes, given: options.network });
    const isLoopback = options.network === undefined;
    const [port] = await freePorts(1, network.address);
    const server = `https://${network.address}:${port}`;
    const identities = toIdentities(nodes);
    const credentials = await writeCredentials({
      dir,
      server,
      addresses: [network.address, API_SERVICE_ADDRESS],
      identities,
    });
    const kubeconfig = (id: string) => {
      const file = credentials.kubeconfigs.get(id);
      if (file === undefined) throw new Error(`the control plane has no credentials for ${id}`);
      return file;
    };

    const apiserver = await start("kube-apiserver", binaries.kubeApiserver, [
      ...apiserverArgs(network, port, credentials),
      ...(isLoopback ? ["--endpoint-reconciler-type=none"] : []),
      ...(options.admissionPlugins ?? []).map((plugin) => `--enable-admission-plugins=${plugin}`),
      ...(options.apiserverArgs ?? []),
    ]);
    const api = openKubernetesApi(kubeconfig("admin"));
    const signal = AbortSignal.timeout(READY_TIMEOUT_MS);
    try {
      await waitUntilReady(apiserver, () => api.isReady(signal), { timeoutMs: READY_TIMEOUT_MS });
      await start("kube-controller-manager", binaries.kubeControllerManager, [
        ...controllerManagerArgs(credentials),
        ...(isLoopback ? loopbackNodesArgs(network) : []),
        `--kubeconfig=${kubeconfig("controller-manager")}`,
      ]);
      await start("kube-scheduler", binaries.kubeScheduler, [
        `--kubeconfig=${kubeconfig("scheduler")}`,
        "--leader-elect=false",
        "--secure-port=0",
      ]);
      for (const { path, body } of userRoles) await api.request({ method: "POST", path, body }, signal);
      await waitForDefaultServiceAccount(api, processes, signal);
    } finally {
      api.close();
    }

    const adminKubeconfig = kubeconfig("admin");
    const kubectl = createKubectl({
      binary: binaries.kubectl,
      kubeconfig: adminKubeconfig,
      cacheDir: join(dir, "kubectl-cache"),
    });
    return {
      dir,
      server,
      podCidr: network.cidr,
      adminKubeconfig,
      userKubeconfig: kubeconfig("user"),
      proxyKubeconfig: kubeconfig("kube-proxy"),
      nodeKubeconfig: (node) => kubeconfig(`node-${node}`),
      kubectlPath: binaries.kubectl,
      kubectl,
      processes,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Start = (name: string, command: string, args: readonly string[]) => Promise<LocalProcess>;

/** Starts etcd, which takes the network; another stack may take the same one at the same moment, then the next is tried. */
async function startEtcd(
  command: string,
  {
    dir,
    start,
    processes,
    given,
  }: {
    readonly dir: string;
    readonly start: Start;
    readonly processes: LocalProcess[];
    readonly given: ClusterNetwork | undefined;
  },
): Promise<ClusterNetwork> {
  for (let attempt = 1; ; attempt += 1) {
    const network = given ?? (await chooseNetwork());
    const client = `http://${network.address}:${CLAIM_PORT}`;
    const peer = `http://${network.address}:${CLAIM_PORT + 1}`;
    const etcd = await start("etcd", command, [
      `--data-dir=${join(dir, "etcd")}`,
      "--unsafe-no-fsync",
      "--log-level=warn",
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ]);
    try {
      await waitUntilReady(etcd, () => isHealthy(client), { timeoutMs: READY_TIMEOUT_MS });
      if (!etcd.running()) throw new Error(`etcd ended:\n${logTail(etcd.logFile)}`);
      return network;
    } catch (error) {
      await etcd.kill();
      processes.pop();
      if (attempt === 3 || !logTail(etcd.logFile).includes("address already in use")) throw error;
    }
  }
}

function apiserverArgs(network: ClusterNetwork, port: number | undefined, credentials: Credentials): string[] {
  return [
    `--etcd-servers=http://${network.address}:${CLAIM_PORT}`,
    `--bind-address=${network.address}`,
    `--advertise-address=${network.address}`,
    `--secure-port=${port}`,
    `--tls-cert-file=${credentials.certificate}`,
    `--tls-private-key-file=${credentials.key}`,
    `--token-auth-file=${credentials.tokens}`,
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${credentials.serviceAccountPublicKey}`,
    `--service-account-signing-key-file=${credentials.serviceAccountPrivateKey}`,
    "--profiling=false",
  ];
}

function controllerManagerArgs(credentials: Credentials): string[] {
  return [
    "--leader-elect=false",
    "--secure-port=0",
    "--use-service-account-credentials=true",
    `--service-account-private-key-file=${credentials.serviceAccountPrivateKey}`,
    `--root-ca-file=${credentials.certificate}`,
    "--kube-api-qps=200",
    "--kube-api-burst=400",
  ];
}

function loopbackNodesArgs(network: ClusterNetwork): string[] {
  return [
    // Endpoints refuse the pods' loopback addresses; their controllers would try for ever.
    "--controllers=*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller",
    "--allocate-node-cidrs=true",
    `--cluster-cidr=${network.cidr}`,
    "--node-cidr-mask-size=22",
  ];
}

function toIdentities(nodes: readonly string[]): ReadonlyMap<string, Identity> {
  return new Map([
    ["admin", { name: "admin", groups: ["system:masters"] }],
    ["user", { name: "developer", groups: ["headrace:developers"] }],
    ["controller-manager", { name: "system:kube-controller-manager", groups: [] }],
    ["scheduler", { name: "system:kube-scheduler", groups: [] }],
    ["kube-proxy", { name: "system:kube-proxy", groups: [] }],
    ...nodes.map((node): [string, Identity] => [
      `node-${node}`,
      { name: `system:node:${node}`, groups: ["system:nodes"] },
    ]),
  ]);
}

async function isHealthy(etcdUrl: string): Promise<boolean> {
  const response = await fetch(`${etcdUrl}/health`, { signal: AbortSignal.timeout(2000) }).catch(() => null);
  return response?.ok === true;
}

async function waitForDefaultServiceAccount(
  api: KubernetesApi,
  processes: readonly LocalProcess[],
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await api.request({ path: "/api/v1/namespaces/default/serviceaccounts/default" }, signal);
      return;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
    const dead = processes.find((process_) => !process_.running());
    if (dead !== undefined) throw new Error(`${dead.name} ended:\n${logTail(dead.logFile)}`);
    await sleep(100, undefined, { signal });
  }
}
