import { type ConnectorSnapshot, clusterNameOf } from "@headrace/contract";
import type { Worker } from "../connect-client.ts";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { ObjectKey, Store } from "../kube/client.ts";
import type { ClusterView } from "./event-stream.ts";

/** A KafkaConnect as a connector on it sees it. */
export type ClusterSight =
  /** The KafkaConnector has no label that names it. */
  | { readonly kind: "unnamed" }
  | { readonly kind: "missing"; readonly name: string }
  | { readonly kind: "deleting"; readonly name: string }
  | { readonly kind: "scaled-to-zero"; readonly name: string; readonly uid: string }
  /** The operator has just begun to look. */
  | { readonly kind: "connecting"; readonly name: string; readonly uid: string }
  | { readonly kind: "unreachable"; readonly name: string; readonly uid: string; readonly reason: string }
  | {
      readonly kind: "live";
      readonly name: string;
      readonly uid: string;
      readonly worker: Worker;
      /** The connector of this name as the workers tell of it; null if there is none. */
      readonly actual: ConnectorSnapshot | null;
      /** Names of the connector plugins that it offers. */
      readonly plugins: readonly string[];
    };

export interface ObservedConnector {
  readonly resource: KafkaConnector;
  /** The cluster that the label names. */
  readonly cluster: ClusterSight;
  /** The cluster on which the connector was made or adopted, as status.connectCluster remembers it; null if on none. */
  readonly owner: ClusterSight | null;
}

export interface ConnectorStores {
  readonly connects: Store<KafkaConnect>;
  readonly connectors: Store<KafkaConnector>;
}

/** Reads everything that decides about a connector from caches: Kubernetes' objects and the clusters' event streams. */
export function observe(
  resource: KafkaConnector,
  connects: Store<KafkaConnect>,
  viewOf: (cluster: ObjectKey) => ClusterView,
): ObservedConnector {
  const { name: connector, namespace = "", labels } = resource.metadata;
  const sight = (name: string): ClusterSight => {
    const key = { namespace, name };
    return look(connects.get(key), { key, connector, view: viewOf(key) });
  };
  const named = clusterNameOf(labels);
  const remembered = resource.status?.connectCluster;
  return {
    resource,
    cluster: named === undefined ? { kind: "unnamed" } : sight(named),
    owner: remembered === undefined ? null : sameCluster(sight(remembered.name), remembered),
  };
}

/** A KafkaConnect that was deleted and made anew is another one, though it has the same name. */
function sameCluster(
  sight: ClusterSight,
  { name, uid }: { readonly name: string; readonly uid: string },
): ClusterSight {
  return "uid" in sight && sight.uid !== uid ? { kind: "missing", name } : sight;
}

function look(
  connect: KafkaConnect | undefined,
  { key, connector, view }: { readonly key: ObjectKey; readonly connector: string; readonly view: ClusterView },
): ClusterSight {
  const { name } = key;
  if (connect === undefined) return { kind: "missing", name };
  const { uid = "", deletionTimestamp } = connect.metadata;
  if (deletionTimestamp !== undefined) return { kind: "deleting", name };
  if (connect.spec.replicas === 0) return { kind: "scaled-to-zero", name, uid };
  switch (view.kind) {
    case "connecting":
      return { kind: "connecting", name, uid };
    case "lost":
      return { kind: "unreachable", name, uid, reason: view.reason };
    case "live": {
      const plugins = connect.status?.connectorPlugins?.map((plugin) => plugin.class) ?? [];
      const actual = view.connectors.get(connector) ?? null;
      return { kind: "live", name, uid, worker: view.worker, actual, plugins };
    }
    default:
      throw new Error(`unreachable: ${view satisfies never}`);
  }
}
