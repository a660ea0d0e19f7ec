import type { GroupInfo } from "@headrace/contract";
import { podsOf, readyWorkers, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { ObjectKey, Store } from "../kube/client.ts";
import type { Pod, StatefulSet } from "../kube/resources.ts";
import { type ConnectClient, firstAnswer, isConnectError, type Worker } from "../worker/connect-client.ts";
import { toGroup } from "./jvm-group.ts";
import { containerName } from "./stateful-set.ts";
import { toWorkerPod, type WorkerPod } from "./worker-pod.ts";

/** What Kubernetes knows of a cluster's workers. */
export interface ObservedCluster {
  readonly statefulSet: StatefulSet | undefined;
  readonly pods: readonly WorkerPod[];
  /** Ready workers, by pod number. */
  readonly workers: readonly Worker[];
  /** Names of the ConfigMaps that pods mount. */
  readonly configMapsInUse: ReadonlySet<string>;
}

export interface ClusterStores {
  readonly connects: Store<KafkaConnect>;
  readonly statefulSets: Store<StatefulSet>;
  readonly pods: Store<Pod>;
  /** For the Secrets and ConfigMaps that they name. */
  readonly connectors?: Store<KafkaConnector>;
}

/** Reads a cluster's pods and StatefulSet from the caches. */
export function observe(stores: ClusterStores, cluster: ObjectKey): ObservedCluster {
  const own = podsOf(stores.pods, cluster);
  const pods = own.map((pod) => toWorkerPod(pod, containerName(cluster.name))).sort((a, b) => a.ordinal - b.ordinal);
  const volumes = own.flatMap((pod) => pod.spec?.volumes ?? []);
  return {
    statefulSet: stores.statefulSets.get({ namespace: cluster.namespace, name: workloadName(cluster.name) }),
    pods,
    workers: readyWorkers(stores.pods, cluster),
    configMapsInUse: new Set(volumes.flatMap(({ configMap }) => configMap?.name ?? [])),
  };
}

/** The group as any ready worker sees it, or as the states of JVM workers show it; null if none tells. */
export async function observeGroup(
  connect: ConnectClient,
  { workers, pods }: Pick<ObservedCluster, "workers" | "pods">,
  signal: AbortSignal,
): Promise<GroupInfo | null> {
  try {
    return (await firstAnswer(workers, (worker) => ask(worker))).answer;
  } catch (error) {
    if (isConnectError(error)) return null;
    throw error;
  }

  async function ask(worker: Worker): Promise<GroupInfo> {
    try {
      return await connect.group(worker, signal);
    } catch (error) {
      if (!isConnectError(error, "not-found")) throw error;
      const named = workers.map(({ ip }) => ({ ip, pod: pods.find((pod) => pod.ip === ip)?.name ?? ip }));
      return toGroup(await connect.expanded(worker, signal), named);
    }
  }
}
