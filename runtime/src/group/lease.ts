import type { Clock } from "./clock.ts";

/**
 * How long the executors may go on after a heartbeat that the coordinator has answered (invariant 3): a little less than the session,
 * since then the broker gives their work away. A host that is busy with a round keeps its member from joining; a round that has begun
 * meanwhile ends without it after `rebalance.timeout.ms`, heartbeats or not, so no lease reaches beyond that.
 */
export interface Lease {
  readonly lengthMs: number;
  /** Until when a heartbeat allows work that was sent at `sentAtMs`. */
  untilMs(sentAtMs: number): number;
  /** The host works on a round from now on; returns the end of it. */
  hostIsBusy(): () => void;
  /** How long the host has been busy, if that is too long; else null. */
  overdueMs(): number | null;
}

const LEASE_SHARE = 0.9;

export function createLease(options: {
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly clock: Clock;
}): Lease {
  const { sessionTimeoutMs, rebalanceTimeoutMs, clock } = options;
  const lengthMs = Math.min(sessionTimeoutMs, rebalanceTimeoutMs) * LEASE_SHARE;
  const patienceMs = rebalanceTimeoutMs * LEASE_SHARE;
  let busySinceMs: number | null = null;
  const limitMs = () => (busySinceMs === null ? Number.POSITIVE_INFINITY : busySinceMs + patienceMs);
  return {
    lengthMs,
    untilMs: (sentAtMs) => Math.min(sentAtMs + lengthMs, limitMs()),
    hostIsBusy() {
      busySinceMs = clock.now();
      return () => {
        busySinceMs = null;
      };
    },
    overdueMs: () => (busySinceMs === null || clock.now() < limitMs() ? null : Math.round(clock.now() - busySinceMs)),
  };
}
