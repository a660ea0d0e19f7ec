import type { RestartPolicy } from "./pod.ts";

/** The wait before restarts of one container. */
export interface BackOff {
  readonly delayMs: number;
  /** When the container was last started after this was reckoned, epoch ms. */
  readonly startedAtMs: number;
}

export interface BackOffLimits {
  /** The kubelet's is 10 s. */
  readonly baseMs: number;
  /** The kubelet's is 300 s. */
  readonly maxMs: number;
}

/** Whether a container that ended is started again. */
export function shouldRestart(policy: RestartPolicy, exitCode: number): boolean {
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** When a container that ended at `finishedAtMs` may start again, epoch ms: at once for the first time, then after the delay. */
export function restartAt(backOff: BackOff | null, finishedAtMs: number, limits: BackOffLimits): number {
  if (backOff === null || isForgotten(backOff, finishedAtMs, limits)) return finishedAtMs;
  return finishedAtMs + backOff.delayMs;
}

/**
 * The back-off after a restart at `nowMs`: the base at first, then doubled up to the maximum; forgotten after a run of twice the maximum
 * (client-go, util/flowcontrol/backoff.go).
 */
export function nextBackOff(backOff: BackOff | null, nowMs: number, limits: BackOffLimits): BackOff {
  const fresh = backOff === null || isForgotten(backOff, nowMs, limits);
  return { delayMs: fresh ? limits.baseMs : Math.min(backOff.delayMs * 2, limits.maxMs), startedAtMs: nowMs };
}

function isForgotten(backOff: BackOff, atMs: number, limits: BackOffLimits): boolean {
  return atMs - backOff.startedAtMs > 2 * limits.maxMs;
}
