import type { Logger } from "pino";
import type { Reconcile } from "../controller/controller.ts";
import { type Outcome, retryAfter, settled } from "../controller/outcome.ts";
import { type KafkaConnect, KafkaConnectors } from "../kinds.ts";
import type { EventRecorder, KubeClient, ObjectKey, Store } from "../kube/client.ts";
import { apiVersionOf } from "../kube/resources.ts";
import type { ConnectClient } from "../worker/connect-client.ts";
import type { Claims } from "./claims.ts";
import type { ClusterView } from "./event-stream.ts";
import { createOffsetsStore } from "./offsets-store.ts";
import { resetBeforeRemoval } from "./operation.ts";
import { planPruning } from "./pruning.ts";
import { createRemovals, planLeftover, type Removal } from "./removals.ts";

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

const STOP_RETRY_MS = 1_000;

type Live = Extract<ClusterView, { kind: "live" }>;

/** A cluster that is looked through. */
interface Swept {
  readonly resource: KafkaConnect;
  readonly view: Live;
  readonly cluster: ObjectKey;
}

/**
 * Looks after connectors of a cluster that no KafkaConnector asks for: those that were to be deleted while the cluster was away, and,
 * where the KafkaConnect asks for it, all others. Level-based, like any reconcile.
 */
export function createSweep(deps: SweepDeps): Reconcile {
  const { kube, connect, connects, viewOf, claims, events, log, now } = deps;
  const removals = createRemovals(kube);
  const offsets = createOffsetsStore(kube);
  /** Since when connectors have been told to stop, so that their offsets can be reset. */
  const stopping = new Map<string, number>();
  /** Connectors without a resource, and since when, by cluster. */
  const orphaned = new Map<string, Map<string, number>>();

  /** Answers whether it has to be looked at again soon. */
  async function removeLeftover(
    removal: Removal,
    { resource, view, cluster }: Swept,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { groupId, configStorageTopic } = resource.spec;
    const { connector } = removal;
    const id = `${cluster.namespace}/${cluster.name}/${connector}`;
    const seen = {
      actual: view.connectors.get(connector) ?? null,
      claimed: claims.claimants(cluster, connector).length > 0,
      identity: { groupId, configStorageTopic },
      stoppingSinceMs: stopping.get(id) ?? null,
      nowMs: now(),
    };
    const step = planLeftover(removal, seen);
    switch (step) {
      case "keep":
        return false;
      case "stop":
        if (!stopping.has(id)) stopping.set(id, now());
        await connect.changeState(view.worker, connector, "stop", signal);
        return true;
      case "await-stop":
        if (!stopping.has(id)) stopping.set(id, now());
        return true;
      case "reset-and-remove": {
        // With the cluster: the namespace of the resource may be gone.
        const metadata = { namespace: cluster.namespace, name: connectorLabel(connector), uid: removal.uid };
        const former = { apiVersion: apiVersionOf(KafkaConnectors), kind: KafkaConnectors.kind, metadata };
        const context = { connect, offsets, worker: view.worker, resource: former, nowMs: now() };
        await resetBeforeRemoval(connector, context, signal);
        await remove(connector, { resource, view, cluster }, signal);
        break;
      }
      case "remove":
        await remove(connector, { resource, view, cluster }, signal);
        if (removal.resetOffsets) {
          const message = `Connector ${connector} did not stop in time: it was deleted without its offsets.`;
          events.record(resource, { type: "Warning", reason: "OffsetsNotReset", message });
        }
        break;
      case "forget":
        break;
      default:
        throw new Error(`unreachable: ${step satisfies never}`);
    }
    stopping.delete(id);
    await removals.forget(cluster.namespace, removal, signal);
    return false;
  }

  async function remove(connector: string, { resource, view, cluster }: Swept, signal: AbortSignal): Promise<void> {
    await connect.remove(view.worker, connector, signal);
    log.info({ ...cluster, connector }, "left connector deleted");
    const message = `Connector ${connector} was deleted: its KafkaConnector was, while this cluster could not be reached.`;
    events.record(resource, { type: "Normal", reason: "ConnectorDeleted", message });
  }

  /** One that cannot be removed now keeps no other one. Answers whether to come again soon. */
  async function removeLeftovers(swept: Swept, signal: AbortSignal): Promise<boolean> {
    let again = false;
    const failures: unknown[] = [];
    for (const removal of await removals.list(swept.cluster, signal)) {
      try {
        again = (await removeLeftover(removal, swept, signal)) || again;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return again;
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
    const again = await removeLeftovers({ resource, view, cluster }, signal);
    const outcome = await prune(resource, view, cluster, signal);
    return again ? retryAfter(STOP_RETRY_MS) : outcome;
  };
}

/** The name of a connector as far as the name of a Kubernetes object can spell it. */
function connectorLabel(connector: string): string {
  const spelt = connector.toLowerCase().replace(/[^a-z0-9.-]+/g, "-");
  return spelt.replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "") || "connector";
}
