import { isDeepStrictEqual } from "node:util";
import { clusterKeyOf, connectorNameOf } from "@headrace/contract";
import { type Controller, createController } from "../controller/controller.ts";
import type { ControllerMetrics } from "../controller/metrics.ts";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { KubeObject, ObjectKey, Store } from "../kube/client.ts";
import type { Pod } from "../kube/resources.ts";
import type { Reachability } from "../reachability.ts";
import type { SourceStores } from "../source-stores.ts";
import { createClaims, type NamespaceLabels } from "./claims.ts";
import type { ViewChange } from "./event-stream.ts";
import { createEventStreams } from "./event-streams.ts";
import type { ConnectorStores } from "./observe.ts";
import { createOffsetsWatch } from "./offsets-watch.ts";
import { type ConnectorReconcileDeps, createConnectorReconcile } from "./reconcile.ts";
import { createSourceWatch } from "./source-watch.ts";
import { createSweep } from "./sweep.ts";
import { wakeAfterChanges } from "./waking-client.ts";

export interface ConnectorControllerDeps
  extends Omit<ConnectorReconcileDeps, "viewOf" | "claimOf" | "sourceWatch" | "offsetsOf" | "stores"> {
  readonly stores: ConnectorStores & { readonly pods: Store<Pod> };
  /** Metadata of Secrets and ConfigMaps; without it their changes are not noticed. */
  readonly sources?: SourceStores;
  /** Labels of namespaces, for KafkaConnects that choose theirs by labels; only their names are known if it is not given. */
  readonly namespaceLabels?: NamespaceLabels;
  /** Namespaces whose labels may change; without it that is noticed when all connectors are looked at again. */
  readonly namespaces?: Pick<Store<KubeObject>, "onChange">;
  /** Told of clusters whose workers do not answer. */
  readonly reachability?: Pick<Reachability, "note">;
  readonly metrics?: ControllerMetrics;
  /** How often it is looked how far a connector has come, ms; 0 or not given: never. */
  readonly offsetsEveryMs?: number;
  /** Pause before an event stream is tried again. */
  readonly streamRetryMs?: number;
}

/** More would only wait for each other at the API server: one that waits for a worker, or for a call that hangs, is not counted. */
const CONCURRENCY = 3;
const PER_CLUSTER = 8;
/** Clusters that are looked through for connectors that nobody asks for, at a time. */
const SWEEPS = 4;
const RESYNC_MS = 120_000;

/**
 * The controller of KafkaConnectors, with the event streams of their clusters. Its stores must be running and synced before
 * `run`. A connector is looked at when it, its KafkaConnect, or what the workers tell of it changes.
 */
export function createConnectorController(deps: ConnectorControllerDeps): Controller {
  const { stores, connect, log, metrics, streamRetryMs, reachability, offsetsEveryMs = 0 } = deps;
  const { namespaceLabels = nameOnly } = deps;
  const sourceWatch = deps.sources === undefined ? undefined : createSourceWatch(deps.kube, deps.sources);
  const claims = createClaims(stores.connectors, stores.connects, namespaceLabels);

  const streams = createEventStreams({
    connect,
    connects: stores.connects,
    pods: stores.pods,
    log,
    changed: enqueueChanged,
    ...(streamRetryMs === undefined ? {} : { retryMs: streamRetryMs }),
  });

  const views = {
    viewOf: (cluster: ObjectKey) => streams.view(cluster),
    claimOf: (resource: KafkaConnector) => claims.claimOf(resource),
  };
  const changed = (connector: ObjectKey) => controller.enqueue(connector);
  const offsets =
    offsetsEveryMs > 0 ? createOffsetsWatch({ ...deps, ...views, changed, everyMs: offsetsEveryMs }) : undefined;

  const controller = createController({
    name: "connector",
    reconcile: createConnectorReconcile({
      ...deps,
      connect: wakeAfterChanges(connect, (cluster) => streams.wake(cluster)),
      ...views,
      ...(offsets === undefined ? {} : { offsetsOf: offsets.of }),
      ...(sourceWatch === undefined ? {} : { sourceWatch }),
    }),
    log,
    concurrency: CONCURRENCY,
    groupOf: (key) => groupOf(stores.connectors.get(key)),
    groupConcurrency: PER_CLUSTER,
    resync: { everyMs: RESYNC_MS, keys: () => stores.connectors.list().map(keyOf) },
    ...(metrics === undefined ? {} : { metrics }),
  });

  const sweep = createController({
    name: "sweep",
    reconcile: createSweep({ ...deps, connects: stores.connects, viewOf: (cluster) => streams.view(cluster), claims }),
    log,
    concurrency: SWEEPS,
    resync: { everyMs: RESYNC_MS, keys: () => stores.connects.list().map(keyOf) },
  });

  function enqueueChanged(cluster: ObjectKey, change: ViewChange): void {
    if (change === "all") {
      const view = streams.view(cluster);
      reachability?.note(cluster, view.kind === "lost" && view.asked ? view.reason : null);
      enqueueConnectorsOf(cluster);
    }
    if (change !== "all") for (const connector of change) enqueueClaimants(cluster, connector);
    if (change === "all" || change.some((name) => claims.claimants(cluster, name).length === 0)) sweep.enqueue(cluster);
  }

  function enqueueConnectorsOf(cluster: ObjectKey): void {
    for (const connector of claims.of(cluster)) controller.enqueue(keyOf(connector));
  }

  function enqueueClaimants(cluster: ObjectKey, connector: string): void {
    for (const claimant of claims.claimants(cluster, connector)) controller.enqueue(keyOf(claimant));
  }

  /** Others may wait for the name that the resource had. */
  function enqueueRivals(resource: KafkaConnector): void {
    const cluster = clusterKeyOf(resource.metadata);
    if (cluster !== undefined) enqueueClaimants(cluster, connectorNameOf(resource));
  }

  /** Clusters of other namespaces that choose by labels may take what is in this one now, or not any more. */
  function enqueueNamespace(name: string): void {
    for (const connector of stores.connectors.list()) {
      if (connector.metadata.namespace !== name || clusterKeyOf(connector.metadata)?.namespace === name) continue;
      controller.enqueue(keyOf(connector));
      enqueueRivals(connector);
    }
  }

  /** Its connector may be left there. */
  function sweepClusterOf({ metadata }: KafkaConnector): void {
    const cluster = clusterKeyOf(metadata);
    if (cluster !== undefined) sweep.enqueue(cluster);
  }

  function followNamespaces(namespaces: Pick<Store<KubeObject>, "onChange">): () => void {
    return namespaces.onChange(({ previous, current }) => {
      const changed = current ?? previous;
      if (changed === undefined || isDeepStrictEqual(previous?.metadata.labels, current?.metadata.labels)) return;
      enqueueNamespace(changed.metadata.name);
    });
  }

  return {
    enqueue: (key) => controller.enqueue(key),
    async run(signal) {
      const subscriptions = [
        stores.connectors.onChange(({ previous, current }) => {
          const changed = current ?? previous;
          if (changed === undefined || isStatusOnly(previous, current)) return;
          controller.enqueue(keyOf(changed));
          if (previous?.metadata.uid !== current?.metadata.uid) offsets?.follow(keyOf(changed));
          if (previous !== undefined) enqueueRivals(previous);
          if (previous !== undefined && current === undefined) sweepClusterOf(previous);
        }),
        stores.connects.onChange(({ previous, current }) => {
          const changed = current ?? previous;
          if (changed === undefined) return;
          if (current === undefined) reachability?.note(keyOf(changed), null);
          if (!isIrrelevant(previous, current)) enqueueConnectorsOf(keyOf(changed));
          if (previous?.metadata.generation !== current?.metadata.generation) sweep.enqueue(keyOf(changed));
        }),
        ...(deps.namespaces === undefined ? [] : [followNamespaces(deps.namespaces)]),
        ...(sourceWatch === undefined ? [] : [sourceWatch.onChange((connector) => controller.enqueue(connector))]),
      ];
      try {
        await Promise.all([streams.run(signal), controller.run(signal), sweep.run(signal), offsets?.run(signal)]);
      } finally {
        for (const unsubscribe of subscriptions) unsubscribe();
        claims.close();
      }
    },
  };
}

/** The operator's own status updates are no reason to look again. */
function isStatusOnly(previous: KafkaConnector | undefined, current: KafkaConnector | undefined): boolean {
  return isDeepStrictEqual(relevant(previous), relevant(current));
}

function relevant(connector: KafkaConnector | undefined): unknown {
  const { uid, generation, labels, annotations, finalizers, deletionTimestamp } = connector?.metadata ?? {};
  return { uid, generation, labels, annotations, finalizers, deletionTimestamp };
}

/** A connector cares only whether its cluster is there, scaled to zero, and which plugins it offers. */
function isIrrelevant(previous: KafkaConnect | undefined, current: KafkaConnect | undefined): boolean {
  if (previous?.metadata.uid !== current?.metadata.uid) return false;
  if (previous?.metadata.deletionTimestamp !== current?.metadata.deletionTimestamp) return false;
  if ((previous?.spec.replicas === 0) !== (current?.spec.replicas === 0)) return false;
  if (!isDeepStrictEqual(previous?.spec.allowedNamespaces, current?.spec.allowedNamespaces)) return false;
  return isDeepStrictEqual(previous?.status?.connectorPlugins, current?.status?.connectorPlugins);
}

function groupOf(connector: KafkaConnector | undefined): string | null {
  const cluster = connector === undefined ? undefined : clusterKeyOf(connector.metadata);
  return cluster === undefined ? null : `${cluster.namespace}/${cluster.name}`;
}

/** Every namespace has its name as a label. */
function nameOnly(namespace: string): Readonly<Record<string, string>> {
  return { "kubernetes.io/metadata.name": namespace };
}

function keyOf({ metadata }: KubeObject): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}
