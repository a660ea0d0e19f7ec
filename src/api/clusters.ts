import type { RestAccess } from "@headrace/contract";
import { readyWorkers } from "../cluster-pods.ts";
import type { KubeObject, ObjectKey, ResourceType, Store } from "../kube/client.ts";
import type { Pod } from "../kube/resources.ts";
import type { Worker } from "../worker/connect-client.ts";

/** KafkaConnects of one API group that are ours, and the pods of their workers. */
export interface ClusterGroup {
  readonly type: ResourceType;
  readonly connects: Store<KubeObject & { readonly spec?: { readonly rest?: RestAccess | undefined } }>;
  readonly isOurs: (connect: KubeObject) => boolean;
  readonly pods: Store<Pod>;
}

/** A cluster that requests can be for. */
export interface FoundCluster {
  readonly type: ResourceType;
  readonly people: NonNullable<RestAccess["people"]>;
  /** Those that are ready. */
  readonly workers: readonly Worker[];
}

/** The cluster of this name in the first group that has one; undefined: there is none. */
export function findCluster(groups: readonly ClusterGroup[], key: ObjectKey): FoundCluster | undefined {
  for (const { type, connects, isOurs, pods } of groups) {
    const connect = connects.get(key);
    if (connect === undefined || !isOurs(connect)) continue;
    return { type, people: connect.spec?.rest?.people ?? "ReadWrite", workers: readyWorkers(pods, key) };
  }
  return undefined;
}
