import type { GroupClient, GroupIdentity, HeartbeatResult } from "../kafka/group-client.ts";
import { createBell } from "./bell.ts";
import type { Clock } from "./clock.ts";

/** Heartbeats on their own timer, and the lease that each success renews. */
export interface Heartbeat {
  /** Beats until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Beats now, and twice more within a moment: the news that a round has begun can overtake the join that begins it. */
  hurry(): void;
  /** What is held may go on until then. */
  renewLease(untilMs: number): void;
  /** Nothing is held any more, so there is no lease to lose. */
  dropLease(): void;
}

export interface HeartbeatOptions {
  readonly client: GroupClient;
  readonly intervalMs: number;
  /** Who beats; nobody while the member id is "". */
  readonly identity: () => GroupIdentity;
  readonly heard: (result: HeartbeatResult, identity: GroupIdentity, sentAtMs: number) => void;
  readonly expired: () => void;
  readonly clock: Clock;
}

const HURRY_MS = [0, 50, 250];
/** Pause after a coordinator that did not answer. */
const RETRY_MS = 500;

export function createHeartbeat({ client, clock, ...options }: HeartbeatOptions): Heartbeat {
  const bell = createBell(clock);
  let extraAtMs: readonly number[] = [];
  let leaseUntilMs = Number.POSITIVE_INFINITY;

  async function beat(signal: AbortSignal): Promise<void> {
    let dueAtMs = clock.now() + options.intervalMs;
    for (;;) {
      const sentAtMs = clock.now();
      const waitMs = Math.min(dueAtMs, ...extraAtMs) - sentAtMs;
      if (waitMs > 0) {
        await bell.wait(waitMs, signal);
        continue;
      }
      dueAtMs = sentAtMs + options.intervalMs;
      extraAtMs = extraAtMs.filter((atMs) => atMs > sentAtMs);
      const identity = options.identity();
      if (identity.memberId === "") continue;
      const result = await client.heartbeat(identity, signal);
      if (result.kind === "coordinator-unavailable") dueAtMs = Math.min(dueAtMs, clock.now() + RETRY_MS);
      options.heard(result, identity, sentAtMs);
    }
  }

  async function watchLease(signal: AbortSignal): Promise<void> {
    for (;;) {
      const leftMs = leaseUntilMs - clock.now();
      if (leftMs <= 0) {
        leaseUntilMs = Number.POSITIVE_INFINITY;
        options.expired();
      }
      await clock.sleep(Math.min(Math.max(leftMs, 0), options.intervalMs), signal);
    }
  }

  return {
    async run(signal) {
      try {
        await Promise.all([beat(signal), watchLease(signal)]);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
    hurry() {
      const now = clock.now();
      extraAtMs = HURRY_MS.map((ms) => now + ms);
      bell.ring();
    },
    renewLease(untilMs) {
      leaseUntilMs = leaseUntilMs === Number.POSITIVE_INFINITY ? untilMs : Math.max(leaseUntilMs, untilMs);
    },
    dropLease() {
      leaseUntilMs = Number.POSITIVE_INFINITY;
    },
  };
}
