import { isDeepStrictEqual } from "node:util";
import { clusterNameOf } from "@headrace/contract";
import { clusterOf } from "../cluster-pods.ts";
import { type Controller, createController } from "../controller/controller.ts";
import type { ControllerMetrics } from "../controller/metrics.ts";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { KubeObject, ObjectKey, Store } from "../kube/client.ts";
import type { Reachability } from "../reachability.ts";
import type { SourceStores } from "../source-stores.ts";
import { sharedBy } from "./group-taken.ts";
import type { Neighbours } from "./neighbours.ts";
import { type ClusterReconcileDeps, createClusterReconcile } from "./reconcile.ts";
import { type References, referencesOf } from "./references.ts";

export interface ClusterControllerDeps extends ClusterReconcileDeps {
  readonly neighbours?: Pick<Neighbours, "holderOf" | "reserve" | "onChange">;
  readonly metrics?: ControllerMetrics;
  readonly reachability?: Reachability;
  /** Without it a changed Secret or ConfigMap is noticed when all clusters are looked at again. */
  readonly sources?: SourceStores;
}

/**
 * controller-runtime's default. More would only wait for each other at the API server, since one reconcile makes several calls at a time;
 * one that waits for a worker, or for a call that hangs, is not counted.
 */
const CONCURRENCY = 1;
const RESYNC_MS = 60_000;

/** The controller of KafkaConnects. Its stores must be running and synced before `run`. */
export function createClusterController(deps: ClusterControllerDeps): Controller {
  const { stores, log, metrics, reachability, sources, neighbours } = deps;
  const controller = createController({
    name: "cluster",
    reconcile: createClusterReconcile(deps),
    log,
    concurrency: CONCURRENCY,
    resync: { everyMs: RESYNC_MS, keys: () => stores.connects.list().map(keyOf) },
    ...(metrics === undefined ? {} : { metrics }),
  });

  function enqueueOwner(object: KubeObject | undefined): void {
    const key = object === undefined ? undefined : clusterOf(object);
    if (key !== undefined) controller.enqueue(key);
  }

  function followOwned<T extends KubeObject>(store: Store<T>): () => void {
    return store.onChange(({ previous, current }) => enqueueOwner(current ?? previous));
  }

  /** Workers may read what their connectors name, so another configuration matters here. */
  function followConnectors(store: Store<KafkaConnector> | undefined): () => void {
    if (store === undefined) return () => undefined;
    return store.onChange(({ previous, current }) => {
      if (isDeepStrictEqual(placeholdersOf(previous), placeholdersOf(current))) return;
      for (const object of [previous, current]) {
        const name = clusterNameOf(object?.metadata.labels);
        if (name !== undefined) controller.enqueue({ namespace: object?.metadata.namespace ?? "", name });
      }
    });
  }

  /** Another cluster's group or topics may be free now, or taken. */
  function enqueueRivals(changed: readonly KafkaConnect[]): void {
    for (const connect of stores.connects.list()) {
      const isRival = (other: KafkaConnect) => other.metadata.uid !== connect.metadata.uid && sharedBy(connect, other);
      if (changed.some(isRival)) controller.enqueue(keyOf(connect));
    }
  }

  /** Clusters that name a Secret or ConfigMap. The first list tells of every object, after each cluster's first reconcile was asked for. */
  function followSources(field: keyof References): () => void {
    const store = sources?.[field];
    if (store === undefined) return () => undefined;
    return store.onChange(({ previous, current }) => {
      const changed = current ?? previous;
      if (changed === undefined || (previous === undefined && !store.synced(changed.metadata.namespace))) return;
      for (const connect of stores.connects.list()) {
        if (connect.metadata.namespace !== changed.metadata.namespace) continue;
        if (referencesOf(connect)[field].includes(changed.metadata.name)) controller.enqueue(keyOf(connect));
      }
    });
  }

  return {
    enqueue: (key) => controller.enqueue(key),
    async run(signal) {
      const subscriptions = [
        stores.connects.onChange(({ previous, current }) => {
          const changed = current ?? previous;
          if (changed !== undefined && !isStatusOnly(previous, current)) controller.enqueue(keyOf(changed));
        }),
        followConnectors(stores.connectors),
        followOwned(stores.pods),
        followOwned(stores.statefulSets),
        followSources("secrets"),
        followSources("configMaps"),
        ...(neighbours === undefined ? [] : [neighbours.onChange(enqueueRivals)]),
        ...(reachability === undefined ? [] : [reachability.onChange((key) => controller.enqueue(key))]),
      ];
      try {
        await controller.run(signal);
      } finally {
        for (const unsubscribe of subscriptions) unsubscribe();
      }
    },
  };
}

/** The values that may name Secrets or ConfigMaps, with the cluster that is to read them. */
function placeholdersOf(connector: KafkaConnector | undefined): readonly unknown[] {
  const values = Object.values(connector?.spec.config ?? {}).filter((value) => String(value).includes("${"));
  return values.length === 0 ? [] : [clusterNameOf(connector?.metadata.labels), ...values];
}

/** The operator's own status updates are no reason to look again. */
function isStatusOnly(previous: KafkaConnect | undefined, current: KafkaConnect | undefined): boolean {
  const [before, after] = [previous?.metadata, current?.metadata];
  if (before?.uid !== after?.uid || before?.generation !== after?.generation) return false;
  return isDeepStrictEqual(before?.annotations, after?.annotations);
}

function keyOf({ metadata }: KubeObject): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}
