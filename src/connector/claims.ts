import { clusterKeyOf, connectorNameOf } from "@headrace/contract";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { ObjectKey, Store } from "../kube/client.ts";
import { selects } from "../label-selector.ts";

/** Whether a resource may have the connector that it asks for. */
export interface Claim {
  /** Whether the cluster takes connectors from the resource's namespace. */
  readonly allowed: boolean;
  /** The other resource that has the connector of this name; null if there is none. */
  readonly rival: ObjectKey | null;
}

/** Labels of a namespace; null: they are not known yet, or cannot be. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | null;

/** Which resources ask for which connector of which cluster. */
export interface Claims {
  claimOf(resource: KafkaConnector): Claim;
  /** The resources that ask for this connector, or had it on this cluster. */
  claimants(cluster: ObjectKey, connector: string): readonly KafkaConnector[];
  /** The resources that are, were or should be on this cluster. */
  of(cluster: ObjectKey): readonly KafkaConnector[];
  /** Stops following the store. */
  close(): void;
}

/** Keeps an index of a store, so that a change of one connector costs no search among thousands. */
export function createClaims(
  connectors: Store<KafkaConnector>,
  connects: Store<KafkaConnect>,
  labelsOf: NamespaceLabels,
): Claims {
  const index = new Map<string, Map<string, Map<string, KafkaConnector>>>();

  function change(resource: KafkaConnector, present: boolean): void {
    for (const cluster of clustersOf(resource)) {
      const id = idOf(cluster);
      const byName = index.get(id) ?? new Map<string, Map<string, KafkaConnector>>();
      const name = connectorNameOf(resource);
      const claimants = byName.get(name) ?? new Map<string, KafkaConnector>();
      if (present) claimants.set(keyOf(resource), resource);
      else claimants.delete(keyOf(resource));
      if (claimants.size > 0) byName.set(name, claimants);
      else byName.delete(name);
      if (byName.size > 0) index.set(id, byName);
      else index.delete(id);
    }
  }

  for (const resource of connectors.list()) change(resource, true);
  const close = connectors.onChange(({ previous, current }) => {
    if (previous !== undefined) change(previous, false);
    if (current !== undefined) change(current, true);
  });

  const claimants = (cluster: ObjectKey, connector: string) => [
    ...(index.get(idOf(cluster))?.get(connector)?.values() ?? []),
  ];

  /** One that is on the cluster is not stopped because nobody can tell. */
  function allows(cluster: ObjectKey, resource: KafkaConnector): boolean {
    const connect = connects.get(cluster);
    return isAllowed(connect, resource.metadata.namespace ?? "", labelsOf, hasIt(resource, connect?.metadata.uid));
  }

  return {
    claimants,
    close,
    of: (cluster) => [...(index.get(idOf(cluster))?.values() ?? [])].flatMap((byKey) => [...byKey.values()]),
    claimOf(resource) {
      const cluster = clusterKeyOf(resource.metadata);
      if (cluster === undefined) return { allowed: true, rival: null };
      const uid = connects.get(cluster)?.metadata.uid;
      const others = claimants(cluster, connectorNameOf(resource)).filter(
        (other) => keyOf(other) !== keyOf(resource) && contends(other, cluster, uid) && allows(cluster, other),
      );
      const first = [resource, ...others].toSorted((a, b) => bySeniority(a, b, uid))[0] ?? resource;
      const { namespace = "", name } = first.metadata;
      return { allowed: allows(cluster, resource), rival: first === resource ? null : { namespace, name } };
    },
  };
}

/** Who has the connector keeps it; else the oldest resource gets it. */
function bySeniority(a: KafkaConnector, b: KafkaConnector, clusterUid: string | undefined): number {
  const has = (one: KafkaConnector) => hasIt(one, clusterUid);
  if (has(a) !== has(b)) return has(a) ? -1 : 1;
  const rank = ({ metadata }: KafkaConnector) => `${metadata.creationTimestamp ?? ""} ${metadata.uid ?? ""}`;
  return rank(a) < rank(b) ? -1 : 1;
}

/** One that only observes takes nothing from anybody; one that is leaving counts as long as it has the connector. */
function contends(other: KafkaConnector, cluster: ObjectKey, clusterUid: string | undefined): boolean {
  if (other.spec.managementPolicy === "Observe") return false;
  if (hasIt(other, clusterUid)) return true;
  if (other.metadata.deletionTimestamp !== undefined) return false;
  const named = clusterKeyOf(other.metadata);
  return named?.name === cluster.name && named.namespace === cluster.namespace;
}

function hasIt({ status }: KafkaConnector, clusterUid: string | undefined): boolean {
  return clusterUid !== undefined && status?.connectCluster?.uid === clusterUid;
}

/** Whether a cluster takes connectors from a namespace; `unknown`: the answer while labels would decide and are not known. */
export function isAllowed(
  connect: KafkaConnect | undefined,
  namespace: string,
  labelsOf: NamespaceLabels,
  unknown = false,
): boolean {
  if (connect === undefined || connect.metadata.namespace === namespace) return true;
  const { from = "Same", selector } = connect.spec.allowedNamespaces ?? {};
  switch (from) {
    case "Same":
      return false;
    case "All":
      return true;
    case "Selector": {
      const labels = labelsOf(namespace);
      return labels === null ? unknown : selector !== undefined && selects(selector, labels);
    }
    default:
      throw new Error(`unreachable: ${from satisfies never}`);
  }
}

function clustersOf(resource: KafkaConnector): readonly ObjectKey[] {
  const named = clusterKeyOf(resource.metadata);
  const { connectCluster } = resource.status ?? {};
  const remembered =
    connectCluster === undefined
      ? undefined
      : { namespace: connectCluster.namespace ?? resource.metadata.namespace ?? "", name: connectCluster.name };
  const keys = [named, remembered].filter((key) => key !== undefined);
  return [...new Map(keys.map((key) => [idOf(key), key])).values()];
}

function keyOf({ metadata }: KafkaConnector): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function idOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
