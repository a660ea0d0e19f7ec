import type { ConnectorSnapshot, TargetState } from "@headrace/contract";
import type { ObjectKey } from "../kube/client.ts";
import type { RestartPlan } from "./auto-restart.ts";
import { planDeletion } from "./deletion.ts";
import { type Echo, isAwaited } from "./echo.ts";
import { type InstanceId, isStopped } from "./instances.ts";
import type { ClusterSight, LiveCluster, ObservedConnector } from "./observe.ts";
import { isElsewhere, isRemembered } from "./ownership.ts";
import type { Request } from "./requests.ts";
import { isSameConfig, type WantedConnector } from "./wanted.ts";

/** What changes the state that a connector should be in, as the worker's REST API names it. */
export type StateChange = "pause" | "resume" | "stop";

/** Why a connector is stopped, or started again, for a while or for good. */
export type StopReason = "wanted" | "offsets" | "start-from" | "not-allowed";

/** The one step that brings a connector nearer to what is wanted. */
export type Action =
  /** Nothing can be done: `observed.cluster` says why. */
  | { readonly kind: "blocked" }
  /** The user has paused reconciliation. */
  | { readonly kind: "paused" }
  /** The user wants nothing to be changed. */
  | { readonly kind: "observe"; readonly cluster: LiveCluster }
  /** Another resource has the connector of this name. */
  | { readonly kind: "name-taken"; readonly by: ObjectKey }
  /** The cluster is not for connectors of this namespace. */
  | { readonly kind: "not-allowed" }
  /** The configuration cannot be used: what runs is left as it is. */
  | { readonly kind: "reject"; readonly cluster: LiveCluster }
  /** The connector is on another cluster still, which does not let go of it. */
  | { readonly kind: "await-move"; readonly from: ClusterSight }
  /** Stop the connector on the cluster that it was on before, once the new one accepts its configuration. */
  | { readonly kind: "stop-away"; readonly from: LiveCluster; readonly cluster: LiveCluster }
  /** Take the stopped connector from the cluster that it was on before. */
  | { readonly kind: "move-away"; readonly from: LiveCluster }
  /** `stopped`: make it without starting it, since its first offsets are still to be set. */
  | { readonly kind: "create"; readonly cluster: LiveCluster; readonly stopped: boolean }
  | { readonly kind: "update"; readonly cluster: LiveCluster }
  | {
      readonly kind: "change-state";
      readonly cluster: LiveCluster;
      readonly change: StateChange;
      readonly target: TargetState;
      readonly why: StopReason;
    }
  /** It was stopped for its offsets' sake, and its tasks have not ended yet. */
  | { readonly kind: "await-stop"; readonly cluster: LiveCluster; readonly why: StopReason }
  /** Set the offsets that a new connector begins with. */
  | { readonly kind: "start-from"; readonly cluster: LiveCluster }
  /** Do what an annotation asks for. */
  | { readonly kind: "request"; readonly cluster: LiveCluster; readonly request: Request }
  /** Restart it, since a Secret or ConfigMap that it reads has changed. */
  | { readonly kind: "reload"; readonly cluster: LiveCluster; readonly changed: readonly string[] }
  /** Restart what has failed. `all`: it is everything that has failed. */
  | {
      readonly kind: "auto-restart";
      readonly cluster: LiveCluster;
      readonly instances: readonly InstanceId[];
      readonly all: boolean;
    }
  /** Something was asked for and the workers have not told of it yet. */
  | { readonly kind: "await-echo"; readonly cluster: LiveCluster; readonly of: Echo["of"] }
  /** Nothing to ask for: it is as wanted, or on its way. */
  | { readonly kind: "watch"; readonly cluster: LiveCluster }
  /** The resource is deleted: stop the connector, so that its offsets can be reset. */
  | { readonly kind: "stop-deleted"; readonly owner: LiveCluster }
  /** The resource is deleted: take the connector away. */
  | { readonly kind: "remove"; readonly owner: LiveCluster; readonly resetOffsets: boolean }
  | { readonly kind: "await-removal"; readonly remainingMs: number }
  /** The resource is deleted: let it go. `left`: the cluster that may have the connector still, or may have it again. */
  | { readonly kind: "release"; readonly left: ClusterSight | null };

export interface PlanInputs {
  readonly observed: ObservedConnector;
  readonly wanted: WantedConnector;
  /** What an annotation asks for. */
  readonly request: Request | null;
  /** What failed; null where nobody restarts it automatically. */
  readonly restarts: RestartPlan | null;
  /** Secrets and ConfigMaps that have changed since the connector read them. */
  readonly changedSources: readonly string[];
  /** Whether the first offsets of a new connector are still to be set. */
  readonly startPending: boolean;
  /** True while the workers are known to refuse this very configuration, or it cannot even be sent. */
  readonly refused: boolean;
  readonly echo: Echo | null;
  readonly nowMs: number;
}

/** Decides the next step. */
export function plan(inputs: PlanInputs): Action {
  const { observed, wanted, echo, refused, nowMs } = inputs;
  const { resource, cluster, owner, claim } = observed;
  if (resource.metadata.deletionTimestamp !== undefined) return planDeletion(inputs);
  if (observed.paused) return { kind: "paused" };
  if (resource.spec.managementPolicy === "Observe") {
    return cluster.kind === "live" ? { kind: "observe", cluster } : { kind: "blocked" };
  }
  if (claim.rival !== null) return { kind: "name-taken", by: claim.rival };
  if (!claim.allowed) return planForbidden(observed);
  if (cluster.kind !== "live") return { kind: "blocked" };
  if (owner !== null && isElsewhere(owner, cluster) && resource.spec.deletionPolicy === "Delete") {
    const step = planMove(owner, cluster, inputs);
    if (step !== null) return step;
  }
  const { actual } = cluster;
  if (echo !== null && isAwaited(echo, cluster, nowMs)) return { kind: "await-echo", cluster, of: echo.of };
  if (actual === null) {
    if (refused) return { kind: "reject", cluster };
    return { kind: "create", cluster, stopped: resource.spec.startFrom !== undefined };
  }
  if (refused && !isRemembered(observed, cluster)) return { kind: "reject", cluster };
  if (!refused && !isSameConfig(actual.config, wanted.config)) return { kind: "update", cluster };
  return planRunning(actual, cluster, inputs) ?? { kind: refused ? "reject" : "watch", cluster };
}

/** What to do about a connector that has its configuration. */
function planRunning(actual: ConnectorSnapshot, cluster: LiveCluster, inputs: PlanInputs): Action | null {
  const { wanted, request, restarts, changedSources, startPending } = inputs;
  const altering = request?.kind === "offsets" && request.verb !== "list";
  const why: StopReason = startPending ? "start-from" : altering ? "offsets" : "wanted";
  const target = why === "wanted" ? wanted.target : "STOPPED";
  const change = stateChange(actual, target);
  if (change !== null) return { kind: "change-state", cluster, change, target, why };
  if (why !== "wanted" && !isStopped(actual)) return { kind: "await-stop", cluster, why };
  if (startPending) return { kind: "start-from", cluster };
  if (request !== null) return { kind: "request", cluster, request };
  if (wanted.target === "STOPPED") return null;
  if (changedSources.length > 0) return { kind: "reload", cluster, changed: changedSources };
  if (restarts === null || restarts.due.length === 0) return null;
  return { kind: "auto-restart", cluster, instances: restarts.due, all: restarts.all };
}

/** True if the operator has to keep the resource until its connector is gone. */
export function needsFinalizer(action: Action): boolean {
  return FINALIZED.has(action.kind);
}

const FINALIZED: ReadonlySet<Action["kind"]> = new Set([
  "create",
  "update",
  "change-state",
  "await-stop",
  "start-from",
  "request",
  "reload",
  "auto-restart",
  "await-echo",
  "watch",
] as const);

/** A connector that may no longer be on its cluster is stopped there, not deleted: the permission may come back. */
function planForbidden(observed: ObservedConnector): Action {
  const { cluster } = observed;
  if (cluster.kind !== "live" || cluster.actual === null || !isRemembered(observed, cluster)) {
    return { kind: "not-allowed" };
  }
  if (cluster.actual.targetState === "STOPPED") return { kind: "not-allowed" };
  return { kind: "change-state", cluster, change: "stop", target: "STOPPED", why: "not-allowed" };
}

/** The old cluster has to stop it and let go of it first, or the connector would run twice. Null: it has. */
function planMove(from: ClusterSight, cluster: LiveCluster, { echo, refused, nowMs }: PlanInputs): Action | null {
  switch (from.kind) {
    case "unnamed":
    case "missing":
    case "deleting":
      return null;
    case "live":
      if (echo !== null && isAwaited(echo, from, nowMs)) return { kind: "await-move", from };
      if (from.actual === null) return null;
      if (from.actual.targetState !== "STOPPED") {
        return refused ? { kind: "reject", cluster } : { kind: "stop-away", from, cluster };
      }
      return isStopped(from.actual) ? { kind: "move-away", from } : { kind: "await-move", from };
    case "scaled-to-zero":
    case "connecting":
    case "unreachable":
      return { kind: "await-move", from };
    default:
      throw new Error(`unreachable: ${from satisfies never}`);
  }
}

function stateChange({ targetState }: ConnectorSnapshot, target: TargetState): StateChange | null {
  if (targetState === target) return null;
  switch (target) {
    case "STARTED":
      return "resume";
    case "PAUSED":
      return "pause";
    case "STOPPED":
      return "stop";
    default:
      throw new Error(`unreachable: ${target satisfies never}`);
  }
}
