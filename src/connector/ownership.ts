import type { ClusterSight, ObservedConnector } from "./observe.ts";
import { isSameConfig, type WantedConnector } from "./wanted.ts";

/**
 * Whether the connector on `cluster` is this resource's: made or adopted by the operator (invariant 8).
 *
 * It was made or adopted if the status remembers this very KafkaConnect (the uid counts), or if it runs with exactly the
 * configuration that the resource asks for. A connector that somebody else made under the same name is adopted only when a
 * valid configuration of this resource has been applied to it; one that another resource has, or that is only to be observed,
 * is never this one's.
 */
export function owns(observed: ObservedConnector, wanted: WantedConnector, cluster: ClusterSight): boolean {
  if (isRemembered(observed, cluster)) return true;
  const { resource, claim } = observed;
  if (claim.rival !== null || !claim.allowed || resource.spec.managementPolicy === "Observe") return false;
  if (wanted.problems.length > 0) return false;
  return cluster.kind === "live" && cluster.actual !== null && isSameConfig(cluster.actual.config, wanted.config);
}

/** True if the status remembers that the connector on this very cluster is the resource's. */
export function isRemembered({ resource }: ObservedConnector, cluster: ClusterSight): boolean {
  if (!("uid" in cluster)) return false;
  return resource.status?.connectCluster?.uid === cluster.uid;
}

/** True if both name a cluster, and not the same one. */
export function isElsewhere(owner: ClusterSight, cluster: ClusterSight): boolean {
  if (!("name" in owner && "name" in cluster)) return false;
  return owner.name !== cluster.name || owner.namespace !== cluster.namespace;
}
