import { type ConnectorSnapshot, clusterKeyOf, connectorNameOf } from "@headrace/contract";
import { isPaused } from "../annotations.ts";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { ObjectKey, Store } from "../kube/client.ts";
import type { Worker } from "../worker/connect-client.ts";
import type { Claim } from "./claims.ts";
import type { ClusterView } from "./event-stream.ts";

/** A cluster whose workers tell about the connector. */
export interface LiveCluster {
  readonly kind: "live";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly worker: Worker;
  /** The connector of this name as the workers tell of it; null if there is none. */
  readonly actual: ConnectorSnapshot | null;
  /** Names of the connector plugins that it offers. */
  readonly plugins: readonly string[];
}

/** A KafkaConnect as a connector on it sees it. */
export type ClusterSight =
  /** The KafkaConnector has no label that names it. */
  | { readonly kind: "unnamed" }
  /** `isOthers`: it is there, and another operator's. */
  | ({ readonly kind: "missing"; readonly isOthers?: true } & ObjectKey)
  | ({ readonly kind: "deleting"; readonly uid: string } & ObjectKey)
  | ({ readonly kind: "scaled-to-zero"; readonly uid: string } & ObjectKey)
  /** The operator has just begun to look. */
  | ({ readonly kind: "connecting"; readonly uid: string } & ObjectKey)
  /** `sinceMs`: when a worker told something last, or when the operator began to look. */
  | ({
      readonly kind: "unreachable";
      readonly uid: string;
      readonly reason: string;
      readonly sinceMs: number;
    } & ObjectKey)
  | LiveCluster;

export interface ObservedConnector {
  readonly resource: KafkaConnector;
  /** The cluster that the label names. */
  readonly cluster: ClusterSight;
  /** The cluster on which the connector was made or adopted, as status.connectCluster remembers it; null if on none. */
  readonly owner: ClusterSight | null;
  /** Whether the resource may have the connector that it asks for. */
  readonly claim: Claim;
  /** Whether the user wants it to be left alone. */
  readonly paused: boolean;
  /** Where the cluster that the label names keeps its connectors; empty if there is no cluster. */
  readonly identity: ClusterIdentity;
}

/** What makes two KafkaConnects one Connect cluster, one after the other. */
export interface ClusterIdentity {
  readonly groupId?: string;
  readonly configStorageTopic?: string;
}

export interface ConnectorStores {
  readonly connects: Store<KafkaConnect>;
  /** Whether a KafkaConnect that is not in the store is another operator's; not given: none is. */
  readonly isOthers?: (cluster: ObjectKey) => boolean;
  readonly connectors: Store<KafkaConnector>;
}

export interface ObserveInputs extends Pick<ConnectorStores, "connects" | "isOthers"> {
  readonly viewOf: (cluster: ObjectKey) => ClusterView;
  readonly claimOf: (resource: KafkaConnector) => Claim;
}

/** Reads everything that decides about a connector from caches: Kubernetes' objects and the clusters' event streams. */
export function observe(
  resource: KafkaConnector,
  { connects, isOthers, viewOf, claimOf }: ObserveInputs,
): ObservedConnector {
  const { namespace = "" } = resource.metadata;
  const sight = (key: ObjectKey): ClusterSight => {
    if (isOthers?.(key) === true) return { kind: "missing", ...key, isOthers: true };
    return look(connects.get(key), { key, connector: connectorNameOf(resource), view: viewOf(key) });
  };
  const named = clusterKeyOf(resource.metadata);
  const remembered = resource.status?.connectCluster;
  return {
    resource,
    cluster: named === undefined ? { kind: "unnamed" } : sight(named),
    owner:
      remembered === undefined
        ? null
        : sameCluster(sight({ namespace: remembered.namespace ?? namespace, name: remembered.name }), remembered.uid),
    claim: claimOf(resource),
    paused: isPaused(resource.metadata),
    identity: named === undefined ? {} : identityOf(connects.get(named)),
  };
}

function identityOf(connect: KafkaConnect | undefined): ClusterIdentity {
  if (connect === undefined) return {};
  const { groupId, configStorageTopic } = connect.spec;
  return { groupId, configStorageTopic };
}

/** A KafkaConnect that was deleted and made anew is another one, though it has the same name. */
function sameCluster(sight: ClusterSight, uid: string): ClusterSight {
  if (!("uid" in sight) || sight.uid === uid) return sight;
  return { kind: "missing", namespace: sight.namespace, name: sight.name };
}

function look(
  connect: KafkaConnect | undefined,
  { key, connector, view }: { readonly key: ObjectKey; readonly connector: string; readonly view: ClusterView },
): ClusterSight {
  if (connect === undefined) return { kind: "missing", ...key };
  const { uid = "", deletionTimestamp } = connect.metadata;
  if (deletionTimestamp !== undefined) return { kind: "deleting", ...key, uid };
  if (connect.spec.replicas === 0) return { kind: "scaled-to-zero", ...key, uid };
  switch (view.kind) {
    case "connecting":
      return { kind: "connecting", ...key, uid };
    case "lost":
      return { kind: "unreachable", ...key, uid, reason: view.reason, sinceMs: view.sinceMs };
    case "live": {
      const plugins = connect.status?.connectorPlugins?.map((plugin) => plugin.class) ?? [];
      const actual = view.connectors.get(connector) ?? null;
      return { kind: "live", ...key, uid, worker: view.worker, actual, plugins };
    }
    default:
      throw new Error(`unreachable: ${view satisfies never}`);
  }
}
