import type { LastGood } from "./last-good.ts";
import type { Preflight } from "./preflight.ts";
import type { WorkerPod } from "./worker-pod.ts";

/** Which revision the pods of a cluster are brought to now. */
export type Target =
  /** The one that the KafkaConnect asks for. */
  | { readonly kind: "desired" }
  /** The StatefulSet's present one: the new one is being checked. */
  | { readonly kind: "checking"; readonly message: string }
  /** The StatefulSet's present one: the new one was found bad before any worker had it. */
  | { readonly kind: "refused"; readonly message: string }
  /** The one with which all workers were ready last: with the new one they do not get ready. */
  | { readonly kind: "last-good"; readonly message: string };

export interface TargetInputs {
  /** Revision that the KafkaConnect asks for. */
  readonly desired: string;
  /** Revision of the StatefulSet's template; null if there is no StatefulSet. */
  readonly current: string | null;
  readonly pods: readonly WorkerPod[];
  readonly lastGood: LastGood | null;
  /** Of the desired revision; null if it cannot or should not be checked beforehand. */
  readonly preflight: Preflight | null;
  readonly nowMs: number;
  /** How long a pod may take to get ready. */
  readonly readyLimitMs: number;
}

/** A pod that cannot even start, for instance for want of its image, is given this time: the kubelet tries again. */
export const START_LIMIT_MS = 30_000;

/**
 * Decides which revision to aim at. With OnDelete a lost pod comes back at the StatefulSet's template, so that template changes only
 * when the new one is known to be good enough: it passed its preflight, or all workers were ready with it before. Nothing is
 * checked while no worker is ready: there is nothing to protect.
 */
export function chooseTarget(inputs: TargetInputs): Target {
  const { desired, current, pods, lastGood, preflight } = inputs;
  if (current === null || lastGood?.revision === desired) return { kind: "desired" };
  if (lastGood?.failed?.revision === desired) return { kind: "last-good", message: lastGood.failed.message };
  const failing = whyFailing(current, inputs);
  const restorable = lastGood !== null && lastGood.revision !== current;
  if (current === desired) {
    return failing !== null && restorable ? { kind: "last-good", message: failing } : { kind: "desired" };
  }
  if (preflight === null || !pods.some(({ ready }) => ready)) return { kind: "desired" };
  switch (preflight.kind) {
    case "passed":
      return { kind: "desired" };
    case "failed":
      return failing !== null && restorable
        ? { kind: "last-good", message: preflight.message }
        : { kind: "refused", message: preflight.message };
    case "missing":
    case "running":
      return { kind: "checking", message: preflight.kind === "running" ? preflight.message : "" };
    default:
      throw new Error(`unreachable: ${preflight satisfies never}`);
  }
}

/**
 * Why the workers do not get ready with a revision; null if that cannot be said. One that is ready with it proves that it is not to
 * blame, and while none is ready at all, older ones neither, something else is wrong.
 */
function whyFailing(revision: string, { pods, nowMs, readyLimitMs }: TargetInputs): string | null {
  const own = pods.filter((pod) => pod.revision === revision);
  if (own.some(({ ready }) => ready)) return null;
  if (pods.length > 1 && !pods.some(({ ready }) => ready)) return null;
  const failing = own.find(({ ready, terminating, trouble, unreadySinceMs }) => {
    if (ready || terminating || unreadySinceMs === null) return false;
    const limit = trouble?.lasting === true ? Math.min(START_LIMIT_MS, readyLimitMs) : readyLimitMs;
    return nowMs - unreadySinceMs >= limit;
  });
  if (failing === undefined) return null;
  const seconds = Math.round(readyLimitMs / 1000);
  return `${failing.name}: ${failing.trouble?.message ?? `not ready within ${seconds} s, its log tells why`}`;
}
