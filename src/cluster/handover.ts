import type { GroupInfo } from "@headrace/contract";
import type { WorkerPod } from "./worker-pod.ts";

/** A worker that has not given all its work away after this time is stopped all the same: it then commits and hands over itself. */
export const DRAIN_LIMIT_MS = 30_000;

/** Where a pod stands on the way out. */
export type Handover =
  /** Ask it (again) to give its work away. */
  | "ask"
  /** It is giving its work away. */
  | "wait"
  /** It has no work any more, or took too long, or cannot be asked. */
  | "over";

/** How far a pod that should go has handed its work over. `group` is null if no worker tells. */
export function handoverOf(pod: WorkerPod, group: GroupInfo | null, nowMs: number): Handover {
  if (!pod.ready || pod.ip === null || pod.terminating) return "over";
  if (pod.drainingSinceMs === null) return "ask";
  if (nowMs - pod.drainingSinceMs >= DRAIN_LIMIT_MS) return "over";
  if (group === null) return "wait";
  const member = group.members.find(({ url }) => hostOf(url) === pod.ip);
  if (member === undefined) return "over";
  if (!member.draining) return "ask";
  return member.assignment.connectors.length === 0 && member.assignment.tasks.length === 0 ? "over" : "wait";
}

/** The host in a worker's URL, IPv6 without brackets; "" if it is no URL. */
export function hostOf(url: string): string {
  return URL.parse(url)?.hostname.replace(/^\[(.*)\]$/, "$1") ?? "";
}
