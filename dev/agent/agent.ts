import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubernetesApi } from "../kubernetes-api.ts";
import { createAddressPool } from "./addresses.ts";
import { killContainersBelow } from "./container-process.ts";
import { createEventRecorder } from "./events.ts";
import type { LocalImage } from "./images.ts";
import { keepNodeReady, registerNode } from "./node.ts";
import { type Pod, podKey } from "./pod.ts";
import { readRecords } from "./pod-record.ts";
import { type PodSurroundings, type PodWorker, startPodWorker } from "./pod-worker.ts";
import { createSources } from "./sources.ts";
import type { PodRecord } from "./status.ts";

export interface AgentOptions {
  readonly api: KubernetesApi;
  /** Name of the node. */
  readonly node: string;
  /** Its state: must be this agent's own; what a former agent left there is taken over. */
  readonly dir: string;
  readonly images: ReadonlyMap<string, LocalImage>;
  /** First back-off between restarts; the kubelet's is 10 s. */
  readonly restartBackOffMs: number;
  /** How long pods may take to end when the agent is stopped. */
  readonly shutdownGraceMs: number;
}

const MAX_BACK_OFF_MS = 300_000;
const WATCH_SECONDS = 300;
const RETRY_MS = 500;

/**
 * A node whose pods are processes of this machine. Runs until `signal`, then ends the pods' processes; a crash leaves them running for the
 * next agent on the same directory.
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const { api, node, dir } = options;
  const podsDir = join(dir, "pods");
  mkdirSync(podsDir, { recursive: true });
  const cidr = await registerNode(api, node, signal);
  const addresses = createAddressPool(cidr, Math.floor(Math.random() * 500));
  const stopped = new AbortController();
  const surroundings: PodSurroundings = {
    api,
    sources: createSources(api),
    images: options.images,
    addresses,
    event: createEventRecorder(api, node, stopped.signal),
    limits: { baseMs: options.restartBackOffMs, maxMs: Math.max(MAX_BACK_OFF_MS, options.restartBackOffMs) },
    dir,
  };
  const records = new Map(readRecords(podsDir, readdirSync(podsDir)));
  for (const { addresses: former } of records.values()) addresses.keep(former.podIP);
  const pods = createPods(surroundings, records);

  const ready = keepNodeReady(api, node, addresses.node, stopped.signal);
  while (!signal.aborted) {
    try {
      await watchPods(api, node, pods, signal);
    } catch {
      // Whatever it was: the API server is away or restarted. The pods go on; list again.
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
  }
  await pods.shutdown(options.shutdownGraceMs);
  stopped.abort();
  await ready;
}

interface PodList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly Pod[];
}

async function watchPods(api: KubernetesApi, node: string, pods: Pods, signal: AbortSignal): Promise<void> {
  const path = `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`;
  const list = await api.request<PodList>({ path }, signal);
  pods.replace(list.items);
  let version = list.metadata.resourceVersion;
  while (!signal.aborted) {
    const query = `&watch=1&allowWatchBookmarks=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${version}`;
    for await (const { type, object } of api.watch<Pod & { metadata: { resourceVersion: string } }>(
      path + query,
      signal,
    )) {
      version = object.metadata.resourceVersion;
      if (type === "DELETED") pods.remove(object.metadata.uid);
      else if (type !== "BOOKMARK") pods.apply(object);
    }
  }
}

interface Pods {
  /** The pods of this node as they all are now. */
  replace(all: readonly Pod[]): void;
  apply(pod: Pod): void;
  remove(uid: string): void;
  /** Ends all; resolves when no process is left. */
  shutdown(graceMs: number): Promise<void>;
}

function createPods(surroundings: PodSurroundings, records: Map<string, PodRecord>): Pods {
  const { dir } = surroundings;
  const workers = new Map<string, PodWorker>();
  /** Pods that were removed here, until the API server says so too: events on their way are not to start them again. */
  const removed = new Set<string>();
  const lastOfName = new Map<string, Promise<void>>();
  let first = true;
  let stopping = false;

  const start = (pod: Pod) => {
    const { uid } = pod.metadata;
    const key = podKey(pod);
    const record = records.get(uid);
    records.delete(uid);
    const phase = pod.status?.phase;
    const terminal = phase === "Succeeded" || phase === "Failed";
    if (terminal && record === undefined && pod.metadata.deletionTimestamp === undefined) return;
    const worker = startPodWorker(pod, record, surroundings, lastOfName.get(key) ?? Promise.resolve());
    workers.set(uid, worker);
    const done = worker.done.finally(() => {
      workers.delete(uid);
      removed.add(uid);
      if (lastOfName.get(key) === done) lastOfName.delete(key);
    });
    lastOfName.set(key, done);
    worker.update(pod);
  };

  /** What an agent left of pods that the API server does not know any more is killed, before any pod of that name starts. */
  const sweep = (known: ReadonlySet<string>) => {
    for (const uid of readdirSync(join(dir, "pods")).filter((each) => !known.has(each) && !workers.has(each))) {
      const record = records.get(uid);
      records.delete(uid);
      const podDir = join(dir, "pods", uid);
      const swept = killContainersBelow(podDir).then(() => {
        rmSync(podDir, { recursive: true, force: true });
        if (record !== undefined) surroundings.addresses.release(record.addresses.podIP);
      });
      if (record !== undefined) lastOfName.set(`${record.namespace}/${record.name}`, swept);
    }
  };

  const pods: Pods = {
    replace(all) {
      const known = new Set(all.map(({ metadata }) => metadata.uid));
      if (first) sweep(known);
      first = false;
      for (const uid of removed) if (!known.has(uid)) removed.delete(uid);
      for (const uid of workers.keys()) if (!known.has(uid)) pods.remove(uid);
      for (const pod of all) pods.apply(pod);
    },
    apply(pod) {
      if (stopping || removed.has(pod.metadata.uid)) return;
      const worker = workers.get(pod.metadata.uid);
      if (worker === undefined) start(pod);
      else worker.update(pod);
    },
    remove(uid) {
      removed.delete(uid);
      workers.get(uid)?.gone();
    },
    async shutdown(graceMs) {
      stopping = true;
      for (const worker of workers.values()) worker.shutdown(graceMs);
      await Promise.all(lastOfName.values());
      await killContainersBelow(join(dir, "pods"));
    },
  };
  return pods;
}
