import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import type { GroupClient, GroupFailure, GroupIdentity, GroupJoined, HeartbeatResult } from "../kafka/group-client.ts";
import type { Clock } from "./clock.ts";

/** Why a membership has ended. */
export interface Loss {
  readonly reason: string;
  /** The coordinator does not know the member id any more, so the next join asks for a new one. */
  readonly forgetId: boolean;
  /** The coordinator still knows it, and others are to have the work. */
  readonly leave: boolean;
  /** How long to stay away after leaving; default: a moment. */
  readonly pauseMs?: number;
}

/** What an answer to a heartbeat means. */
export type Pulse =
  /** Nothing new; `renews`: the coordinator counts this member in. */
  | { readonly kind: "steady"; readonly renews: boolean }
  | { readonly kind: "rebalance" }
  | { readonly kind: "lost"; readonly loss: Loss };

export interface SyncRequest {
  readonly generation: number;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
}

/**
 * What the coordinator knows of this member: its id and generation, and the request of it that waits there.
 *
 * Guarantees: a request that the coordinator contradicts in its answers to heartbeats (its broker died without a word) is sent again.
 */
export interface Membership {
  identity(): GroupIdentity;
  /**
   * Joins, as often as it takes until a round has begun. `describe` is asked for the metadata before each try, `sent` is called after it.
   * Rejects with what `lose` returns if the coordinator has dropped a member that `holdsWork`.
   */
  join(request: JoinRequest, signal: AbortSignal): Promise<GroupJoined>;
  /** null: the round was not completed, join again. Rejects with what `lose` returns if the member was dropped. */
  sync(
    request: SyncRequest,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Buffer; readonly sentAtMs: number } | null>;
  /** Reads an answer to a heartbeat that `identity` sent. */
  judge(result: HeartbeatResult, identity: GroupIdentity, sentAtMs: number): Pulse;
  /** Ceases to be who it was; a member id that is left or unknown is forgotten. */
  end(loss: Loss, stopped: Promise<unknown>, signal: AbortSignal): Promise<void>;
  /** Leaves the group, within its own deadline. */
  leave(): Promise<void>;
}

export interface JoinRequest {
  readonly describe: () => readonly { readonly name: string; readonly metadata: Buffer }[];
  readonly sent: () => void;
  readonly holdsWork: boolean;
}

export interface MembershipOptions {
  readonly client: GroupClient;
  readonly lose: (loss: Loss) => Error;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Waiting {
  readonly kind: "join" | "sync";
  readonly sentAtMs: number;
  readonly attempt: AbortController;
}

const FRESH: GroupIdentity = { memberId: "", generation: -1 };
const RETRY_MS = { first: 100, max: 1_000, refused: 5_000 };
/** So long the coordinator may contradict a waiting request: its answer can be on the way. */
const CONTRADICTION_MS = 1_000;
const LEAVE_TIMEOUT_MS = 5_000;

export function createMembership({ client, lose, clock, log }: MembershipOptions): Membership {
  let identity = FRESH;
  /** Member id that the coordinator may still know. */
  let knownId = "";
  let waiting: Waiting | null = null;
  let retryMs = RETRY_MS.first;

  function become({ memberId, generation }: GroupIdentity): void {
    identity = { memberId, generation };
    knownId = memberId;
  }

  /** Makes a request that can be given up by {@link doubt}. */
  async function ask<T>(
    kind: Waiting["kind"],
    signal: AbortSignal,
    request: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | GroupFailure> {
    const attempt = new AbortController();
    waiting = { kind, sentAtMs: clock.now(), attempt };
    try {
      return await request(AbortSignal.any([signal, attempt.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (!attempt.signal.aborted) throw error;
      return { kind: "coordinator-unavailable", reason: `the ${kind} request was lost` };
    } finally {
      waiting = null;
    }
  }

  async function pauseAfter(failure: GroupFailure, signal: AbortSignal): Promise<void> {
    if (failure.kind === "refused") {
      log.error({ reason: failure.reason }, "the group refuses this worker");
      return clock.sleep(RETRY_MS.refused, signal);
    }
    log.debug({ failure }, "the group's coordinator did not serve a request");
    const pauseMs = retryMs;
    retryMs = Math.min(RETRY_MS.max, pauseMs * 2);
    return clock.sleep(pauseMs, signal);
  }

  /** The coordinator says what cannot be while this request waits there. */
  function doubt(request: Waiting, sentAtMs: number): Pulse {
    if (sentAtMs > request.sentAtMs + CONTRADICTION_MS) request.attempt.abort();
    return { kind: "steady", renews: false };
  }

  return {
    identity: () => identity,

    async join(request, signal) {
      for (;;) {
        const { memberId } = identity;
        const protocols = request.describe();
        const pending = ask("join", signal, async (either) => {
          const answer = await client.join({ memberId, protocols }, either);
          // While it waits: a heartbeat's answer must not find the new round and the former generation.
          if (answer.kind === "joined") become(answer);
          return answer;
        });
        if (memberId !== "") request.sent();
        const result = await pending;
        switch (result.kind) {
          case "joined":
            return result;
          case "member-id-required":
            become({ memberId: result.memberId, generation: -1 });
            break;
          case "unknown-member":
          case "fenced":
            if (request.holdsWork) throw lose({ reason: result.kind, forgetId: true, leave: false });
            become(FRESH);
            break;
          case "illegal-generation":
          case "rebalance-in-progress":
          case "coordinator-unavailable":
          case "refused":
            await pauseAfter(result, signal);
            break;
          default:
            throw new Error(`unreachable: ${result satisfies never}`);
        }
      }
    },

    async sync({ generation, assignments }, signal) {
      const { memberId } = identity;
      const sentAtMs = clock.now();
      const result = await ask("sync", signal, (either) => client.sync({ memberId, generation, assignments }, either));
      switch (result.kind) {
        case "synced":
          retryMs = RETRY_MS.first;
          return { bytes: result.assignment, sentAtMs };
        case "rebalance-in-progress":
        case "illegal-generation":
          return null;
        case "unknown-member":
        case "fenced":
          throw lose({ reason: result.kind, forgetId: true, leave: false });
        case "coordinator-unavailable":
        case "refused":
          await pauseAfter(result, signal);
          return null;
        default:
          throw new Error(`unreachable: ${result satisfies never}`);
      }
    },

    judge(result, sender, sentAtMs) {
      const nothing: Pulse = { kind: "steady", renews: false };
      if (sender !== identity) return nothing;
      switch (result.kind) {
        case "alive":
          if (waiting?.kind === "join") doubt(waiting, sentAtMs);
          return { kind: "steady", renews: true };
        case "rebalance-in-progress":
          return waiting === null ? { kind: "rebalance" } : { kind: "steady", renews: sender.generation >= 0 };
        case "illegal-generation":
          // A newcomer has no generation yet; the answer tells it that its id is known.
          if (sender.generation < 0) return nothing;
          if (waiting !== null) return doubt(waiting, sentAtMs);
          return { kind: "lost", loss: { reason: result.kind, forgetId: false, leave: false } };
        case "unknown-member":
        case "fenced":
          if (waiting !== null) return doubt(waiting, sentAtMs);
          return { kind: "lost", loss: { reason: result.kind, forgetId: true, leave: false } };
        case "coordinator-unavailable":
          log.debug({ reason: result.reason }, "no answer to a heartbeat");
          return nothing;
        case "refused":
          log.error({ reason: result.reason }, "a heartbeat was refused");
          return nothing;
        default:
          throw new Error(`unreachable: ${result satisfies never}`);
      }
    },

    async end(loss, stopped, signal) {
      const memberId = knownId;
      identity = FRESH;
      await stopped;
      if (loss.leave && memberId !== "") {
        await client.leave(memberId, signal);
        await clock.sleep(loss.pauseMs ?? RETRY_MS.max, signal);
      }
      become(loss.forgetId || loss.leave ? FRESH : { memberId, generation: -1 });
    },

    async leave() {
      const memberId = knownId;
      become(FRESH);
      if (memberId === "") return;
      const deadline = AbortSignal.timeout(LEAVE_TIMEOUT_MS);
      try {
        for (;;) {
          const { kind } = await client.leave(memberId, deadline);
          if (kind !== "coordinator-unavailable") return log.info({ memberId, answer: kind }, "left the group");
          await clock.sleep(RETRY_MS.first, deadline);
        }
      } catch (error) {
        if (!deadline.aborted) throw error;
        log.warn({ memberId }, "could not leave the group: its coordinator is not available");
      }
    },
  };
}

/** What a caller learns when the membership that it relied on is gone. */
export function membershipLost({ reason }: Loss): ConnectError {
  return new ConnectError("rebalance", `Membership in the group was lost: ${reason}`);
}
