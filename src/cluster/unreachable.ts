import type { GroupInfo } from "@headrace/contract";
import { hostOf } from "./handover.ts";
import type { WorkerPod } from "./worker-pod.ts";

/** A pod that should have been gone for so long is on a node that does not answer. */
export const UNREACHABLE_MS = 30_000;
/** While no worker tells about the group, it is waited for longer than any session of a usual length lasts. */
export const UNKNOWN_MS = 120_000;

/** Pods that may be on a node that does not answer. */
export function overduePods(pods: readonly WorkerPod[], nowMs: number): readonly WorkerPod[] {
  return pods.filter(({ terminating, goneByMs }) => {
    return terminating && goneByMs !== null && nowMs - goneByMs >= UNREACHABLE_MS;
  });
}

/**
 * Overdue pods whose name may be given to a new pod, though nobody has seen their processes end: the group has dropped their workers, so
 * their work is elsewhere and theirs has stopped (invariant 3).
 */
export function lostPods(pods: readonly WorkerPod[], group: GroupInfo | null, nowMs: number): readonly WorkerPod[] {
  return overduePods(pods, nowMs).filter(({ ip, goneByMs }) => {
    if (group === null) return nowMs - (goneByMs ?? nowMs) >= UNKNOWN_MS;
    return !group.members.some(({ url }) => hostOf(url) === ip);
  });
}
