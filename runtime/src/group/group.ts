import type { TaskId } from "@headrace/contract";

/** The worker's view of its Connect group: what the herder tells the member, and what it hears from it. */

export interface Assignment {
  readonly connectors: readonly string[];
  readonly tasks: readonly TaskId[];
}

export interface GroupMemberView {
  readonly memberId: string;
  readonly url: string;
  readonly draining: boolean;
  readonly assignment: Assignment;
  /** What it was told to stop in this round, and may still be stopping; only the leader knows. */
  readonly leaving?: Assignment;
}

export interface GroupView {
  readonly memberId: string;
  readonly generation: number;
  readonly leaderId: string | null;
  readonly leaderUrl: string | null;
  readonly isLeader: boolean;
  /** Group protocol version in force: 0 eager, 1 compatible, 2 sessioned. */
  readonly protocolVersion: number;
  readonly rebalancing: boolean;
  readonly delayMs: number;
  /** Only the leader knows all members; others list themselves. */
  readonly members: readonly GroupMemberView[];
  readonly balanced: boolean;
}

/** The configured work as of one position of the config topic; what the leader distributes. */
export interface ConfigSnapshot {
  /** Next offset to be read in the config topic; -1 if nothing has been read. */
  readonly offset: bigint;
  readonly connectors: readonly string[];
  /** Tasks of consistent task sets only. */
  readonly tasks: readonly TaskId[];
}

/** One completed round. `assignment` is the complete work of this member after the round, `revoked` what it must stop first. */
export interface Assigned {
  readonly view: GroupView;
  readonly assignment: Assignment;
  readonly revoked: Assignment;
  /** The config offset this assignment was made for. */
  readonly configOffset: bigint;
  /** true: the leader's config was behind; nothing was assigned or revoked. The member itself calls refreshConfig and rejoins. */
  readonly configMismatch: boolean;
}

/** What the member needs from the worker. Called by the member only; awaited. */
export interface GroupHost {
  snapshot(): ConfigSnapshot;
  /** Reads the config topic to its end, bounded. */
  refreshConfig(signal: AbortSignal): Promise<void>;
  /**
   * A round has completed. The host stops what was revoked, starts what is new, then resolves; the member does not join again before
   * that (heartbeats go on). If something was revoked, the member rejoins by itself afterwards.
   */
  assigned(round: Assigned, signal: AbortSignal): Promise<void>;
  /**
   * Membership is gone (evicted, session expired, coordinator unknown too long): everything must stop; resolves when it has.
   * May come while `assigned` has not yet resolved: its signal is aborted just before.
   */
  lost(reason: string, signal: AbortSignal): Promise<void>;
  /** A heartbeat sent at `sentAtMs` (performance.now) succeeded: executors may go on until `sentAtMs` + `leaseMs`. */
  renewLease(sentAtMs: number, leaseMs: number): void;
}

export interface GroupMember {
  /** Joins and stays a member until `signal` aborts; then leaves the group. */
  run(signal: AbortSignal): Promise<void>;
  view(): GroupView;
  /** Joins again soon (several requests become one) and pokes the peers. */
  requestRejoin(reason: string): void;
  /**
   * A peer says that a round has begun (`POST /headrace/rejoin`): sends a heartbeat now instead of at its time, and joins if the
   * answer says so. Pokes nobody.
   */
  poked(): void;
  /**
   * Asks the coordinator now whether this member, the leader, still is one in its present generation. Rejects with ConnectError
   * "rebalance" if not, if another one leads, or if a round is running. The leader calls it right before each write that only a leader
   * may do (invariant 5).
   */
  confirm(signal: AbortSignal): Promise<void>;
  /**
   * From now on asks the leader for no work; resolves when this member holds nothing. Rejects when `signal` aborts, and with the
   * code "unavailable" as soon as it is clear that nobody takes the work (a JVM leader, no other worker): the caller then stops its work and leaves.
   */
  drain(signal: AbortSignal): Promise<void>;
  /** Removes another member from the group at once. */
  evict(memberId: string, signal: AbortSignal): Promise<void>;
  /** Calls `listener` with each new view. Returns the unsubscribe function. */
  onView(listener: (view: GroupView) => void): () => void;
}
