import type { Logger } from "pino";
import type { ConnectClient } from "../connect-client.ts";
import type { Reconcile } from "../controller/controller.ts";
import { type Outcome, retryAfter, settled } from "../controller/outcome.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { EventRecorder, KubeClient, ObjectKey, Store } from "../kube/client.ts";
import type { Claims } from "./claims.ts";
import type { ClusterView } from "./event-stream.ts";
import { planPruning } from "./pruning.ts";
import { createRemovals, planLeftover } from "./removals.ts";

export interface SweepDeps {
  readonly kube: KubeClient;
  readonly connect: ConnectClient;
  readonly connects: Store<KafkaConnect>;
  readonly viewOf: (cluster: ObjectKey) => ClusterView;
  readonly claims: Pick<Claims, "claimants">;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly now: () => number;
}

const DEFAULT_PERCENT = 25;

type Live = Extract<ClusterView, { kind: "live" }>;

/**
 * Looks after connectors of a cluster that no KafkaConnector asks for: those that were to be deleted while the cluster was away, and,
 * where the KafkaConnect asks for it, all others. Level-based, like any reconcile.
 */
export function createSweep(deps: SweepDeps): Reconcile {
  const { kube, connect, connects, viewOf, claims, events, log, now } = deps;
  const removals = createRemovals(kube);
  /** Connectors without a resource, and since when, by cluster. */
  const orphaned = new Map<string, Map<string, number>>();

  async function removeLeftovers(resource: KafkaConnect, view: Live, cluster: ObjectKey, signal: AbortSignal) {
    const { groupId, configStorageTopic } = resource.spec;
    for (const removal of await removals.list(cluster, signal)) {
      const { connector } = removal;
      const step = planLeftover(removal, {
        actual: view.connectors.get(connector) ?? null,
        claimed: claims.claimants(cluster, connector).length > 0,
        identity: { groupId, configStorageTopic },
        nowMs: now(),
      });
      if (step === "keep") continue;
      if (step === "remove") {
        await connect.remove(view.worker, connector, signal);
        log.info({ ...cluster, connector }, "left connector deleted");
        const message = `Connector ${connector} was deleted: its KafkaConnector was, while this cluster could not be reached.`;
        events.record(resource, { type: "Normal", reason: "ConnectorDeleted", message });
      }
      await removals.forget(cluster.namespace, removal, signal);
    }
  }

  function findOrphans(view: Live, cluster: ObjectKey): ReadonlyMap<string, number> {
    const id = `${cluster.namespace}/${cluster.name}`;
    const before = orphaned.get(id);
    const found = new Map<string, number>();
    for (const name of view.connectors.keys()) {
      if (claims.claimants(cluster, name).length === 0) found.set(name, before?.get(name) ?? now());
    }
    orphaned.set(id, found);
    return found;
  }

  async function prune(resource: KafkaConnect, view: Live, cluster: ObjectKey, signal: AbortSignal): Promise<Outcome> {
    const { pruneConnectors } = resource.spec;
    if (pruneConnectors === undefined) {
      orphaned.delete(`${cluster.namespace}/${cluster.name}`);
      return settled;
    }
    const plan = planPruning({
      connectors: [...view.connectors.keys()],
      orphans: findOrphans(view, cluster),
      maxPercent: pruneConnectors.maxPercent ?? DEFAULT_PERCENT,
      nowMs: now(),
    });
    switch (plan.kind) {
      case "refuse": {
        const message = `${plan.orphans} of ${plan.of} connectors have no KafkaConnector, more than spec.pruneConnectors.maxPercent allows: nothing is deleted.`;
        events.record(resource, { type: "Warning", reason: "PruningRefused", message });
        return settled;
      }
      case "prune":
        for (const connector of plan.connectors) {
          await connect.remove(view.worker, connector, signal);
          const message = `Connector ${connector} was deleted, since no KafkaConnector asks for it.`;
          events.record(resource, { type: "Normal", reason: "ConnectorPruned", message });
        }
        return plan.nextAtMs === null ? settled : retryAfter(Math.max(plan.nextAtMs - now(), 0));
      default:
        throw new Error(`unreachable: ${plan satisfies never}`);
    }
  }

  return async (cluster, signal) => {
    const resource = connects.get(cluster);
    const view = viewOf(cluster);
    if (resource === undefined) orphaned.delete(`${cluster.namespace}/${cluster.name}`);
    if (resource === undefined || resource.metadata.deletionTimestamp !== undefined) return settled;
    if (view.kind !== "live") return settled;
    await removeLeftovers(resource, view, cluster, signal);
    return await prune(resource, view, cluster, signal);
  };
}
