import { CONNECTOR_FINALIZER, type ConnectorSnapshot, type StringMap, type TargetState } from "@headrace/contract";
import type { ClusterSight, ObservedConnector } from "./observe.ts";
import type { RestartRequest } from "./restart.ts";
import { isSameConfig, type WantedConnector } from "./wanted.ts";

/** A deleted KafkaConnector does not wait longer than this for its cluster. */
export const DELETION_LIMIT_MS = 60_000;

/** What changes the state that a connector should be in, as the worker's REST API names it. */
export type StateChange = "pause" | "resume" | "stop";

type LiveCluster = Extract<ClusterSight, { kind: "live" }>;

/** The one step that brings a connector nearer to what is wanted. */
export type Action =
  /** Nothing can be done: `observed.cluster` says why. */
  | { readonly kind: "blocked" }
  /** `spec.config` has values that cannot be used. */
  | { readonly kind: "reject" }
  /** The connector is on another cluster still, which does not let go of it. */
  | { readonly kind: "await-move"; readonly from: ClusterSight }
  /** Take the connector from the cluster that it was on before. */
  | { readonly kind: "move-away"; readonly from: LiveCluster }
  | { readonly kind: "create"; readonly cluster: LiveCluster }
  | { readonly kind: "update"; readonly cluster: LiveCluster }
  | { readonly kind: "change-state"; readonly cluster: LiveCluster; readonly change: StateChange }
  | { readonly kind: "restart"; readonly cluster: LiveCluster; readonly request: RestartRequest }
  /** Something was asked for and the workers have not told of it yet. */
  | { readonly kind: "await-echo"; readonly cluster: LiveCluster; readonly of: Echo["of"] }
  /** Nothing to ask for: it is as wanted, or on its way. */
  | { readonly kind: "watch"; readonly cluster: LiveCluster }
  /** The resource is deleted: take the connector away. */
  | { readonly kind: "remove"; readonly owner: LiveCluster }
  | { readonly kind: "await-removal"; readonly remainingMs: number }
  /** The resource is deleted: let it go. `left`: why a connector may be left behind, as a sentence. */
  | { readonly kind: "release"; readonly left: string | null };

/**
 * What the event stream will tell once the last request has taken effect. Until then nothing more is asked for, since the same
 * request again would restart the connector again.
 */
export type Echo = { readonly clusterUid: string; readonly untilMs: number } & (
  | { readonly of: "create" | "update"; readonly config: StringMap }
  | { readonly of: "change-state"; readonly target: TargetState }
  | { readonly of: "remove" }
);

export interface PlanInputs {
  readonly observed: ObservedConnector;
  readonly wanted: WantedConnector;
  readonly restart: RestartRequest | null;
  readonly echo: Echo | null;
  readonly nowMs: number;
}

/** Decides the next step. */
export function plan(inputs: PlanInputs): Action {
  const { observed, wanted } = inputs;
  if (observed.resource.metadata.deletionTimestamp !== undefined) return planDeletion(inputs);
  const { cluster, owner } = observed;
  if (wanted.problems.length > 0 && cluster.kind === "live") return { kind: "reject" };
  if (owner !== null && isElsewhere(owner, cluster) && observed.resource.spec.deletionPolicy === "Delete") {
    const step = planMove(owner, inputs);
    if (step !== null) return step;
  }
  if (cluster.kind !== "live") return { kind: "blocked" };
  const { actual } = cluster;
  if (inputs.echo !== null && isAwaited(inputs.echo, cluster, inputs.nowMs)) {
    return { kind: "await-echo", cluster, of: inputs.echo.of };
  }
  if (actual === null) return { kind: "create", cluster };
  if (!isSameConfig(actual.config, wanted.config)) return { kind: "update", cluster };
  const change = stateChange(actual, wanted);
  if (change !== null) return { kind: "change-state", cluster, change };
  return inputs.restart === null ? { kind: "watch", cluster } : { kind: "restart", cluster, request: inputs.restart };
}

/** True if the operator has to keep the resource until its connector is gone. */
export function needsFinalizer(action: Action): boolean {
  return ["create", "update", "change-state", "restart", "await-echo", "watch"].includes(action.kind);
}

/**
 * Whether the connector on `cluster` is this resource's: made or adopted by the operator (invariant 8).
 *
 * It was made or adopted if the status remembers this very KafkaConnect (the uid counts), or if it runs with exactly the
 * configuration that the resource asks for. A connector that somebody else made under the same name is adopted only when a
 * valid configuration of this resource has been applied to it.
 */
export function owns({ resource }: ObservedConnector, wanted: WantedConnector, cluster: ClusterSight): boolean {
  if (!("uid" in cluster)) return false;
  if (resource.status?.connectCluster?.uid === cluster.uid) return true;
  if (wanted.problems.length > 0) return false;
  return cluster.kind === "live" && cluster.actual !== null && isSameConfig(cluster.actual.config, wanted.config);
}

function planDeletion({ observed, wanted, echo, nowMs }: PlanInputs): Action {
  const { resource, cluster, owner } = observed;
  const { name, finalizers = [], deletionTimestamp = "" } = resource.metadata;
  if (!finalizers.includes(CONNECTOR_FINALIZER)) return { kind: "blocked" };
  if (resource.spec.deletionPolicy === "Orphan") return { kind: "release", left: null };
  const holder = owner ?? (owns(observed, wanted, cluster) ? cluster : null);
  switch (holder?.kind) {
    case undefined:
    case "unnamed":
    case "missing":
    case "deleting":
      return { kind: "release", left: null };
    case "live":
      // Before anything else: a connector that was made a moment ago reads as none.
      if (echo !== null && isAwaited(echo, holder, nowMs)) return { kind: "await-echo", cluster: holder, of: echo.of };
      if (holder.actual === null) return { kind: "release", left: null };
      return { kind: "remove", owner: holder };
    case "scaled-to-zero":
    case "connecting":
    case "unreachable": {
      const remainingMs = Date.parse(deletionTimestamp) + DELETION_LIMIT_MS - nowMs;
      if (remainingMs > 0) return { kind: "await-removal", remainingMs };
      const left = `Connector ${name} stays on KafkaConnect ${holder.name}, which could not be reached for 60 s; delete it there.`;
      return { kind: "release", left };
    }
    default:
      throw new Error(`unreachable: ${holder satisfies never}`);
  }
}

function isElsewhere(owner: ClusterSight, cluster: ClusterSight): boolean {
  return "name" in owner && "name" in cluster && owner.name !== cluster.name;
}

/** The old cluster has to let go first, or the connector would run twice. Null: it has. */
function planMove(from: ClusterSight, { echo, nowMs }: PlanInputs): Action | null {
  switch (from.kind) {
    case "unnamed":
    case "missing":
    case "deleting":
      return null;
    case "live":
      if (echo !== null && isAwaited(echo, from, nowMs)) return { kind: "await-move", from };
      if (from.actual === null) return null;
      return { kind: "move-away", from };
    case "scaled-to-zero":
    case "connecting":
    case "unreachable":
      return { kind: "await-move", from };
    default:
      throw new Error(`unreachable: ${from satisfies never}`);
  }
}

function stateChange({ targetState }: ConnectorSnapshot, { target }: WantedConnector): StateChange | null {
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

function isAwaited(echo: Echo, { uid, actual }: LiveCluster, nowMs: number): boolean {
  if (echo.clusterUid !== uid || nowMs >= echo.untilMs) return false;
  switch (echo.of) {
    case "create":
    case "update":
      return actual === null || !isSameConfig(actual.config, echo.config);
    case "change-state":
      return actual !== null && actual.targetState !== echo.target;
    case "remove":
      return actual !== null;
    default:
      throw new Error(`unreachable: ${echo satisfies never}`);
  }
}
