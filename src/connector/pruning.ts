/** What is known of the connectors of a cluster. */
export interface PruningInputs {
  /** Names of all connectors that the workers tell of. */
  readonly connectors: readonly string[];
  /** Those for which there is no KafkaConnector, and since when, epoch ms. */
  readonly orphans: ReadonlyMap<string, number>;
  readonly maxPercent: number;
  readonly nowMs: number;
}

/** What to do about connectors without a resource. */
export type PruningPlan =
  | { readonly kind: "prune"; readonly connectors: readonly string[]; readonly nextAtMs: number | null }
  /** It would be too many at once: nothing is deleted. */
  | { readonly kind: "refuse"; readonly orphans: number; readonly of: number };

/** A connector without a resource is left alone for so long: its resource may be on its way. */
export const ORPHAN_GRACE_MS = 60_000;

/** Decides which connectors are deleted. The share is of all connectors, and counts orphans within their time of grace, too. */
export function planPruning({ connectors, orphans, maxPercent, nowMs }: PruningInputs): PruningPlan {
  if (orphans.size * 100 > connectors.length * maxPercent) {
    return { kind: "refuse", orphans: orphans.size, of: connectors.length };
  }
  const due: string[] = [];
  const times: number[] = [];
  for (const [name, sinceMs] of orphans) {
    if (sinceMs + ORPHAN_GRACE_MS <= nowMs) due.push(name);
    else times.push(sinceMs + ORPHAN_GRACE_MS);
  }
  return { kind: "prune", connectors: due, nextAtMs: times.length === 0 ? null : Math.min(...times) };
}
