/** How one reconcile of one object ended. An exception instead means: back off, then try again. */
export type Outcome =
  /** The world is as wanted, or a watch will tell when something changes. */
  | { readonly kind: "settled" }
  /** Look again after this time, unless something happens earlier. */
  | { readonly kind: "retry-after"; readonly delayMs: number };

export const settled: Outcome = { kind: "settled" };

/** Look again after `delayMs` milliseconds. */
export function retryAfter(delayMs: number): Outcome {
  return { kind: "retry-after", delayMs };
}

/** The outcome, but come again after `delayMs` at the latest; 0 adds nothing. */
export function noLaterThan(outcome: Outcome, delayMs: number): Outcome {
  if (delayMs === 0 || (outcome.kind === "retry-after" && outcome.delayMs < delayMs)) return outcome;
  return retryAfter(delayMs);
}
