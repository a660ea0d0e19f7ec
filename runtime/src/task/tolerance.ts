import { RetriableError } from "@headrace/sdk";

/** Where an operation on a record failed. Source: org.apache.kafka.connect.runtime.errors.Stage. */
export type Stage =
  | "TASK_PUT"
  | "TASK_POLL"
  | "TRANSFORMATION"
  | "KEY_CONVERTER"
  | "VALUE_CONVERTER"
  | "HEADER_CONVERTER"
  | "KAFKA_PRODUCE"
  | "KAFKA_CONSUME";

/** The `errors.*` part of a connector's configuration. */
export interface TolerancePolicy {
  readonly tolerance: "none" | "all";
  /** 0: no retries; -1: for ever. */
  readonly retryTimeoutMs: number;
  readonly retryDelayMaxMs: number;
  readonly logEnable: boolean;
  readonly logIncludeMessages: boolean;
}

/** One failed operation: the error, how many times it was tried, and since when. */
export interface FailedAttempt {
  readonly stage: Stage;
  readonly error: unknown;
  /** 1 after the first failure. */
  readonly attempts: number;
  readonly elapsedMs: number;
}

export type Verdict =
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "skip" }
  | { readonly kind: "fail" };

/** Stages in which any error may be skipped; in the others only a retriable one. */
const TOLERATES_ANY: ReadonlySet<Stage> = new Set([
  "TRANSFORMATION",
  "KEY_CONVERTER",
  "VALUE_CONVERTER",
  "HEADER_CONVERTER",
]);

const FIRST_DELAY_MS = 300;

/** What to do about a failed operation. `random` is uniform in [0, 1). Source: RetryWithToleranceOperator. */
export function judge(policy: TolerancePolicy, failed: FailedAttempt, random: () => number): Verdict {
  const retriable = failed.error instanceof RetriableError;
  if (retriable && policy.retryTimeoutMs !== 0) {
    const delayMs = retryDelay(failed.attempts, policy.retryDelayMaxMs, random);
    const left = policy.retryTimeoutMs - failed.elapsedMs;
    if (policy.retryTimeoutMs < 0) return { kind: "retry", delayMs };
    if (left > 0) return { kind: "retry", delayMs: Math.min(delayMs, left) };
  }
  if (policy.tolerance === "all" && (retriable || TOLERATES_ANY.has(failed.stage))) return { kind: "skip" };
  return { kind: "fail" };
}

/** 300 ms doubled with each attempt; beyond the maximum a random pause below it. */
function retryDelay(attempts: number, maxMs: number, random: () => number): number {
  const delayMs = FIRST_DELAY_MS * 2 ** (attempts - 1);
  return delayMs <= maxMs ? delayMs : Math.floor(random() * maxMs);
}
