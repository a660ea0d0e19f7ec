import type { Lease } from "./resources.ts";

/** Times of a leader election, in milliseconds. `renewDeadlineMs` < `durationMs`: the difference is what stopping may take. */
export interface LeaseTimes {
  /** How long others wait after the last renewal that they saw before they take over. */
  readonly durationMs: number;
  /** How long after its last renewal a holder goes on working. */
  readonly renewDeadlineMs: number;
  /** Pause between looks at the lease and between renewals. */
  readonly retryMs: number;
}

/** The lease as somebody else's candidate sees it: who held it, and since when by our own clock it has not changed. */
export interface Observation {
  readonly resourceVersion: string;
  readonly seenAtMs: number;
}

/** What a candidate does after a look at the lease. */
export type LeaseMove =
  | { readonly kind: "create" }
  /** Write ourselves into it, on condition that nobody else did. `transitions` is the new count. */
  | { readonly kind: "take"; readonly resourceVersion: string; readonly transitions: number; readonly renewal: boolean }
  | { readonly kind: "wait"; readonly holder: string };

/** What `look` decided and what to remember for the next look. */
export interface Look {
  readonly move: LeaseMove;
  readonly observation: Observation | null;
}

/**
 * Decides by our own clock alone: the times inside the lease are another machine's and only shown to people. A lease that
 * changed is alive; one that has not changed for its own duration is free, as is one without a holder.
 */
export function look(
  lease: Lease | null,
  identity: string,
  previous: Observation | null,
  nowMs: number,
  durationMs: number,
): Look {
  if (lease === null) return { move: { kind: "create" }, observation: null };
  const { resourceVersion = "" } = lease.metadata;
  const { holderIdentity: holder = "", leaseDurationSeconds, leaseTransitions = 0 } = lease.spec ?? {};
  const observation = previous?.resourceVersion === resourceVersion ? previous : { resourceVersion, seenAtMs: nowMs };
  if (holder === identity) {
    return { move: { kind: "take", resourceVersion, transitions: leaseTransitions, renewal: true }, observation };
  }
  const theirsMs = leaseDurationSeconds === undefined ? durationMs : leaseDurationSeconds * 1000;
  if (holder !== "" && nowMs - observation.seenAtMs < theirsMs) return { move: { kind: "wait", holder }, observation };
  return { move: { kind: "take", resourceVersion, transitions: leaseTransitions + 1, renewal: false }, observation };
}
