import type { GroupInfo } from "@headrace/contract";
import { handoverOf, hostOf } from "./handover.ts";
import { isOutdated, type WorkerPod } from "./worker-pod.ts";

/** A group that does not come to rest in this time does not hold up a roll any longer: the roll may be the cure. */
export const BALANCE_LIMIT_MS = 300_000;

/** Work that nobody has started in this time is not waited for any longer: whoever has it may be the one to be replaced. */
export const START_LIMIT_MS = 30_000;

/** What a roll has waited for before its next step. */
export interface RollWaits {
  /** Since when the group has been waited for, epoch ms; null if it is not. */
  readonly balanceAwaitedSinceMs: number | null;
  /** Since when, within that, what starts has been waited for, epoch ms; null if it has not. */
  readonly startAwaitedSinceMs: number | null;
}

export const NO_WAITS: RollWaits = { balanceAwaitedSinceMs: null, startAwaitedSinceMs: null };

export interface RollInputs extends RollWaits {
  readonly pods: readonly WorkerPod[];
  /** Revision that every pod should have; null: none is to be replaced for its revision now. */
  readonly revision: string | null;
  /** Number of pods that the StatefulSet is asked for. */
  readonly replicas: number;
  readonly group: GroupInfo | null;
  /** Connectors and tasks that moved and do not run yet. */
  readonly starting: number;
  /** Whether workers give their work away on demand; others do so when they are stopped. */
  readonly drains: boolean;
  readonly nowMs: number;
}

export type RollAction =
  /** Every pod is as wanted. */
  | { readonly kind: "none" }
  /** A pod is on its way; the watch will tell. */
  | { readonly kind: "await-pods"; readonly message: string }
  | { readonly kind: "await-balance"; readonly message: string }
  /** The group is balanced, and not all of its work runs. */
  | { readonly kind: "await-start"; readonly message: string }
  | { readonly kind: "await-handover"; readonly pod: WorkerPod; readonly message: string }
  | { readonly kind: "drain"; readonly pod: WorkerPod; readonly message: string }
  | { readonly kind: "delete"; readonly pod: WorkerPod; readonly message: string };

/**
 * The next single step of a rolling update, from what is seen now: nothing is remembered, so a new generation simply changes
 * which pods are outdated. Without a revision, only what was drained already is finished.
 *
 * One pod at a time. Outdated pods that are not ready go first, so that a bad revision stops at one pod and its repair starts
 * there. A ready pod goes when all others are ready, the group is balanced and its work runs: drain, delete, wait. The leader goes last.
 */
export function planRoll(inputs: RollInputs): RollAction {
  const { revision, replicas, group, nowMs } = inputs;
  const pods = inputs.pods.filter((pod) => pod.ordinal < replicas).sort((a, b) => a.ordinal - b.ordinal);
  const outdated = pods.filter((pod) => isOutdated(pod, revision));
  if (outdated.length === 0) return { kind: "none" };

  const leaving = pods.find((pod) => pod.terminating);
  if (leaving !== undefined) return { kind: "await-pods", message: `${leaving.name} is stopping` };
  if (pods.length < replicas) return { kind: "await-pods", message: "a pod is being made" };
  const unready = pods.find((pod) => !pod.ready && !outdated.includes(pod));
  if (unready !== undefined) return { kind: "await-pods", message: `${unready.name} is not ready yet` };

  const broken = outdated.find((pod) => !pod.ready);
  if (broken !== undefined)
    return { kind: "delete", pod: broken, message: `${broken.name} is not ready and goes first` };

  const leader = hostOf(group?.leaderUrl ?? "");
  const [next] = outdated.toSorted((a, b) => rank(a, leader) - rank(b, leader));
  if (next === undefined) return { kind: "none" };
  if (replicas === 1) return { kind: "delete", pod: next, message: `${next.name} is the only worker` };
  if (next.drainingSinceMs === null) {
    const waitedMs = (sinceMs: number | null) => nowMs - (sinceMs ?? nowMs);
    if (!isBalanced(group, replicas) && waitedMs(inputs.balanceAwaitedSinceMs) < BALANCE_LIMIT_MS)
      return { kind: "await-balance", message: "the workers are sharing out their work" };
    // What has moved and stands still would stand still for longer if it moved once more.
    if (inputs.starting > 0 && waitedMs(inputs.startAwaitedSinceMs) < START_LIMIT_MS)
      return { kind: "await-start", message: "the workers are starting what they were given" };
  }
  const handover = inputs.drains ? handoverOf(next, group, nowMs) : "over";
  switch (handover) {
    case "ask":
      return { kind: "drain", pod: next, message: `${next.name} is giving its work away` };
    case "wait":
      return { kind: "await-handover", pod: next, message: `${next.name} is giving its work away` };
    case "over":
      return { kind: "delete", pod: next, message: `${next.name} is being replaced` };
    default:
      throw new Error(`unreachable: ${handover satisfies never}`);
  }
}

/** What has been waited for once this was decided. A group that shares its work out once more meanwhile begins no time anew: that could go on. */
export function waitsAfter(roll: RollAction, waits: RollWaits, nowMs: number): RollWaits {
  if (roll.kind !== "await-balance" && roll.kind !== "await-start") return NO_WAITS;
  const { balanceAwaitedSinceMs, startAwaitedSinceMs } = waits;
  return {
    balanceAwaitedSinceMs: balanceAwaitedSinceMs ?? nowMs,
    startAwaitedSinceMs: startAwaitedSinceMs ?? (roll.kind === "await-start" ? nowMs : null),
  };
}

/** A pod that is draining already is finished first; then by number, the group's leader last. */
function rank(pod: WorkerPod, leader: string): number {
  if (pod.drainingSinceMs !== null) return -1;
  return pod.ip === leader ? Number.MAX_SAFE_INTEGER : pod.ordinal;
}

function isBalanced(group: GroupInfo | null, replicas: number): boolean {
  return group?.balanced === true && !group.rebalancing && group.members.length >= replicas;
}
