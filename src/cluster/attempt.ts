import { type Outcome, retryAfter } from "../controller/outcome.ts";
import { isKubeError, type KubeError } from "../kube/errors.ts";
import type { ClusterFindings } from "./status.ts";

/** How the attempt to bring about what is wanted ended. */
export interface Attempt {
  readonly findings: ClusterFindings;
  readonly outcome: Outcome;
}

/** Since when the API server fails at what is asked of it, without a success in between, epoch ms; null: it does not. */
export interface Failing {
  sinceMs: number | null;
}

const REFUSED_RETRY_MS = 30_000;
/** An API server whose etcd has a new leader, say, is well again by then. */
const PASSING_MS = 10_000;
const FAILING_RETRY_MS = 5_000;

/**
 * What the API server refuses for good is a finding, and so is what it has failed at for a while, as where it cannot
 * call somebody's webhook.
 * Throws everything else: it is tried again soon, without a word in the status.
 */
export function toRefusal(error: unknown, failing: Failing, nowMs: number): Attempt {
  if (isKubeError(error, "invalid", "forbidden")) {
    return { findings: { kind: "refused", message: error.message }, outcome: retryAfter(REFUSED_RETRY_MS) };
  }
  if (!hasFailed(error)) throw error;
  failing.sinceMs ??= nowMs;
  if (nowMs - failing.sinceMs < PASSING_MS) throw error;
  return { findings: { kind: "failing", message: error.message }, outcome: retryAfter(FAILING_RETRY_MS) };
}

/** It answered that it could not, not now, or not in time; one that cannot be reached cannot be told a status either. */
export function hasFailed(error: unknown): error is KubeError {
  return (
    isKubeError(error, "timeout", "too-many-requests") || (isKubeError(error, "unavailable") && error.status !== null)
  );
}
