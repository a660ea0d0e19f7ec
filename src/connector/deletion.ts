import { CONNECTOR_FINALIZER } from "@headrace/contract";
import { isAwaited } from "./echo.ts";
import { isStopped } from "./instances.ts";
import type { LiveCluster } from "./observe.ts";
import { isElsewhere, owns } from "./ownership.ts";
import type { Action, PlanInputs } from "./plan.ts";

/** A deleted KafkaConnector does not wait longer than this for its cluster. */
export const DELETION_LIMIT_MS = 60_000;

/**
 * The next step for a resource that is deleted. A connector whose cluster does not answer in time is let go; so is at once that of a
 * cluster that is gone itself, whose topics may bring the connector back one day: `left` tells which, so that it is remembered.
 */
export function planDeletion(inputs: PlanInputs): Action {
  const { observed, wanted, nowMs } = inputs;
  const { resource, cluster, owner, claim } = observed;
  const { finalizers = [], deletionTimestamp = "" } = resource.metadata;
  if (!finalizers.includes(CONNECTOR_FINALIZER)) return { kind: "blocked" };
  const { deletionPolicy, managementPolicy } = resource.spec;
  if (deletionPolicy === "Orphan" || managementPolicy === "Observe") return { kind: "release", left: null };
  if (claim.rival !== null && (owner === null || !isElsewhere(owner, cluster))) return { kind: "release", left: null };
  const holder = owner ?? (owns(observed, wanted, cluster) ? cluster : null);
  const remainingMs = Date.parse(deletionTimestamp) + DELETION_LIMIT_MS - nowMs;
  switch (holder?.kind) {
    case undefined:
    case "unnamed":
      return { kind: "release", left: null };
    case "missing":
    case "deleting":
      return { kind: "release", left: holder };
    case "live":
      return planRemoval(holder, remainingMs > 0, inputs);
    case "scaled-to-zero":
    case "connecting":
    case "unreachable":
      return remainingMs > 0 ? { kind: "await-removal", remainingMs } : { kind: "release", left: holder };
    default:
      throw new Error(`unreachable: ${holder satisfies never}`);
  }
}

/** `inTime`: the offsets are still waited for; a connector that does not stop is deleted without. */
function planRemoval(owner: LiveCluster, inTime: boolean, { observed, echo, nowMs }: PlanInputs): Action {
  // Before anything else: a connector that was made a moment ago reads as none.
  if (echo !== null && isAwaited(echo, owner, nowMs)) return { kind: "await-echo", cluster: owner, of: echo.of };
  if (owner.actual === null) return { kind: "release", left: null };
  const resetOffsets = observed.resource.spec.resetOffsetsOnDelete === true && inTime;
  if (!resetOffsets) return { kind: "remove", owner, resetOffsets };
  if (owner.actual.targetState !== "STOPPED") return { kind: "stop-deleted", owner };
  if (!isStopped(owner.actual)) return { kind: "await-removal", remainingMs: 1_000 };
  return { kind: "remove", owner, resetOffsets };
}
