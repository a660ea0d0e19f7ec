import { availableParallelism, hostname, totalmem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type KubernetesApi } from "../kubernetes-api.ts";
import { toTime } from "./status.ts";

const LEASE_SECONDS = 40;
const LEASE_RENEW_MS = 10_000;
/** As often as the kubelet without changes. */
const STATUS_MS = 60_000;
const MAX_PODS = 250;
/** Pods may request more than the machine has: requests describe production, nothing is reserved here. */
const OVERCOMMIT = 16;
const RETRY_MS = 200;

interface Node {
  readonly spec?: { readonly podCIDR?: string };
}

/** Registers the node if the API server does not know it, and waits for the pod network that the controller manager gives it. */
export async function registerNode(api: KubernetesApi, name: string, signal: AbortSignal): Promise<string> {
  const labels = {
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": process.arch === "x64" ? "amd64" : process.arch,
  };
  for (;;) {
    try {
      const node = await api.request<Node>({ path: `/api/v1/nodes/${name}` }, signal);
      if (node.spec?.podCIDR !== undefined) return node.spec.podCIDR;
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof ApiError && error.status === 404) {
        const body = { apiVersion: "v1", kind: "Node", metadata: { name, labels } };
        await api.request({ method: "POST", path: "/api/v1/nodes", body }, signal);
      } else if (error instanceof ApiError) throw error;
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}

/** Keeps the node Ready: its status and its lease, until `signal`. Failures are tried again with the next beat. */
export async function keepNodeReady(
  api: KubernetesApi,
  name: string,
  address: string,
  signal: AbortSignal,
): Promise<void> {
  const since = new Date();
  let statusAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    let wait = LEASE_RENEW_MS;
    try {
      await renewLease(api, name, signal);
      if (performance.now() - statusAt >= STATUS_MS) {
        await api.request(
          {
            method: "PATCH",
            path: `/api/v1/nodes/${name}/status`,
            contentType: "application/strategic-merge-patch+json",
            body: { status: nodeStatus(name, address, since, new Date()) },
          },
          signal,
        );
        statusAt = performance.now();
      }
    } catch {
      wait = 1000;
    }
    await sleep(wait, undefined, { signal }).catch(() => {});
  }
}

async function renewLease(api: KubernetesApi, name: string, signal: AbortSignal): Promise<void> {
  const path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
  const renewTime = new Date().toISOString().replace("Z", "000Z");
  const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime };
  try {
    await api.request(
      { method: "PATCH", path: `${path}/${name}`, contentType: "application/merge-patch+json", body: { spec } },
      signal,
    );
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    const metadata = { name, namespace: "kube-node-lease" };
    const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    await api.request({ method: "POST", path, body }, signal);
  }
}

function nodeStatus(name: string, address: string, since: Date, now: Date): object {
  const resources = {
    cpu: String(availableParallelism() * OVERCOMMIT),
    memory: `${Math.floor(totalmem() / 1024) * OVERCOMMIT}Ki`,
    pods: String(MAX_PODS),
  };
  const condition = (type: string, status: "True" | "False", reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: toTime(now),
    lastTransitionTime: toTime(since),
  });
  return {
    capacity: resources,
    allocatable: resources,
    addresses: [
      { type: "InternalIP", address },
      { type: "Hostname", address: name },
    ],
    conditions: [
      condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
      condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
      condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
      condition("Ready", "True", "KubeletReady", "the local node agent runs pods as processes"),
    ],
    nodeInfo: {
      machineID: hostname(),
      systemUUID: hostname(),
      bootID: hostname(),
      kernelVersion: "",
      osImage: "local processes",
      containerRuntimeVersion: `process://${process.version.slice(1)}`,
      kubeletVersion: "v1.34.4-headrace",
      kubeProxyVersion: "",
      operatingSystem: "linux",
      architecture: process.arch === "x64" ? "amd64" : process.arch,
    },
  };
}
