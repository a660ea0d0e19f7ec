import type { Logger } from "@headrace/sdk";
import { createCluster, type KafkaCluster, unlessAborted } from "./cluster.ts";
import { errorMessage, isConnectionError, kafkaErrorType } from "./errors.ts";
import { type Broker, call, createErrorFromCode, type JoinGroupRequest, type JoinGroupResponse } from "./kafkajs.ts";
import type { KafkaClientSettings } from "./settings.ts";

/** What the group's coordinator may answer instead of a success. */
export type GroupFailure =
  /** The member was removed: by its session time-out, by a LeaveGroup of somebody else, or by the loss of the group's state. */
  | { readonly kind: "unknown-member" }
  | { readonly kind: "illegal-generation" }
  | { readonly kind: "rebalance-in-progress" }
  | { readonly kind: "fenced" }
  /** Nobody answered in time, or the one who did is not, or not yet, the coordinator. The next call looks for it anew. */
  | { readonly kind: "coordinator-unavailable"; readonly reason: string }
  /** Kafka says no in a way that does not pass by itself: rights, session time-out out of range, foreign protocol type … */
  | { readonly kind: "refused"; readonly reason: string };

export interface GroupJoined {
  readonly kind: "joined";
  readonly memberId: string;
  readonly generation: number;
  /** Name of the protocol that all members support. */
  readonly protocol: string;
  readonly leaderId: string;
  /** All members, for the leader; empty for the others. */
  readonly members: readonly { readonly memberId: string; readonly metadata: Buffer }[];
}

export type JoinResult =
  | GroupJoined
  | { readonly kind: "member-id-required"; readonly memberId: string }
  | GroupFailure;
export type SyncResult = { readonly kind: "synced"; readonly assignment: Buffer } | GroupFailure;
export type HeartbeatResult = { readonly kind: "alive" } | GroupFailure;
export type LeaveResult = { readonly kind: "left" } | GroupFailure;

/** A member in one generation; -1 before the first. */
export interface GroupIdentity {
  readonly memberId: string;
  readonly generation: number;
}

/**
 * The requests by which one process takes part in a Connect group (classic group protocol, KIP-62, KIP-394).
 *
 * Guarantees: every call ends within its deadline; it rejects only when its signal aborts, all else is a result. A join or sync that
 * waits at the broker holds up no heartbeat, leave or eviction.
 */
export interface GroupClient {
  /** `memberId` "" for a new member, answered by `member-id-required`. Waits for the other members, up to the rebalance time-out. */
  join(
    request: {
      readonly memberId: string;
      /** Most preferred first. */
      readonly protocols: readonly { readonly name: string; readonly metadata: Buffer }[];
    },
    signal: AbortSignal,
  ): Promise<JoinResult>;
  /** `assignments` come from the leader; the others send none and wait for the leader. */
  sync(
    request: GroupIdentity & {
      readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
    },
    signal: AbortSignal,
  ): Promise<SyncResult>;
  heartbeat(identity: GroupIdentity, signal: AbortSignal): Promise<HeartbeatResult>;
  /** Removes a member at once, this one or another. */
  leave(memberId: string, signal: AbortSignal): Promise<LeaveResult>;
  /** The members of a stable group with their metadata; none while a rebalance is on or when the coordinator is not available. */
  members(signal: AbortSignal): Promise<readonly { readonly memberId: string; readonly metadata: Buffer }[]>;
  close(): void;
}

export interface GroupClientOptions {
  readonly settings: KafkaClientSettings;
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Deadline of everything that the coordinator answers without waiting for other members. */
  readonly answerTimeoutMs: number;
  readonly log: Logger;
}

const PROTOCOL_TYPE = "connect";
/** What a join may take beyond the rebalance time-out. */
const NETWORK_DELAY_MS = 5_000;
const MEMBER_ID_REQUIRED = 79;

const FAILURES: Readonly<Record<string, "unknown-member" | "illegal-generation" | "rebalance-in-progress" | "fenced">> =
  {
    UNKNOWN_MEMBER_ID: "unknown-member",
    ILLEGAL_GENERATION: "illegal-generation",
    REBALANCE_IN_PROGRESS: "rebalance-in-progress",
    FENCED_INSTANCE_ID: "fenced",
  };

const COORDINATOR_FAILURES = new Set([
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
  "REQUEST_TIMED_OUT",
  "NETWORK_EXCEPTION",
  "BROKER_NOT_AVAILABLE",
  "LEADER_NOT_AVAILABLE",
]);

/** Makes a client; nothing is connected before the first call. */
export function createGroupClient(options: GroupClientOptions): GroupClient {
  const { groupId, settings, log } = options;
  // A broker answers the requests of one connection one after the other, so what waits there has a connection of its own.
  const waiting = createLine(() => createCluster(settings, log), groupId);
  const prompt = createLine(() => createCluster(settings, log), groupId);
  const longMs = options.rebalanceTimeoutMs + NETWORK_DELAY_MS;

  return {
    join: (request, signal) =>
      waiting.call<JoinResult>(longMs, signal, async (broker) => {
        const response = await call<JoinGroupResponse & { readonly errorCode: number }>(broker, "JoinGroup", {
          groupId,
          sessionTimeout: options.sessionTimeoutMs,
          rebalanceTimeout: options.rebalanceTimeoutMs,
          memberId: request.memberId,
          protocolType: PROTOCOL_TYPE,
          groupProtocols: request.protocols,
        } satisfies JoinGroupRequest);
        if (response.errorCode === MEMBER_ID_REQUIRED) {
          return { kind: "member-id-required", memberId: response.memberId };
        }
        if (response.errorCode !== 0) throw createErrorFromCode(response.errorCode);
        return toJoined(response);
      }),
    sync: ({ memberId, generation, assignments }, signal) =>
      waiting.call<SyncResult>(longMs, signal, async (broker) => {
        const groupAssignment = assignments.map((each) => ({
          memberId: each.memberId,
          memberAssignment: each.assignment,
        }));
        const response = await broker.syncGroup({ groupId, generationId: generation, memberId, groupAssignment });
        return { kind: "synced", assignment: response.memberAssignment };
      }),
    heartbeat: ({ memberId, generation }, signal) =>
      prompt.call<HeartbeatResult>(options.answerTimeoutMs, signal, async (broker) => {
        await broker.heartbeat({ groupId, groupGenerationId: generation, memberId });
        return { kind: "alive" };
      }),
    leave: (memberId, signal) =>
      prompt.call<LeaveResult>(options.answerTimeoutMs, signal, async (broker) => {
        await broker.leaveGroup({ groupId, memberId });
        return { kind: "left" };
      }),
    async members(signal) {
      const result = await prompt.call(options.answerTimeoutMs, signal, (broker) =>
        broker.describeGroups({ groupIds: [groupId] }),
      );
      if ("kind" in result) return [];
      return (result.groups[0]?.members ?? [])
        .filter((member) => member.memberMetadata.length > 0)
        .map((member) => ({ memberId: member.memberId, metadata: member.memberMetadata }));
    },
    close() {
      waiting.close();
      prompt.close();
    },
  };
}

/** A connection to the group's coordinator, found anew whenever it fails, falls silent or turns out to be the wrong broker. */
interface CoordinatorLine {
  call<T>(timeoutMs: number, signal: AbortSignal, request: (broker: Broker) => Promise<T>): Promise<T | GroupFailure>;
  close(): void;
}

function createLine(openCluster: () => KafkaCluster, groupId: string): CoordinatorLine {
  let cluster = openCluster();
  let coordinator: Broker | null = null;

  /** Drops the connections: a request that was given up is still pending on one of them, and what was being asked may be dead. */
  function reset(): void {
    cluster.close();
    cluster = openCluster();
    coordinator = null;
  }

  return {
    async call(timeoutMs, signal, request) {
      signal.throwIfAborted();
      const deadline = AbortSignal.timeout(timeoutMs);
      const either = AbortSignal.any([signal, deadline]);
      const used = cluster;
      try {
        if (coordinator?.isConnected() !== true) coordinator = await used.coordinator(groupId, either);
        return await unlessAborted(request(coordinator), either);
      } catch (error) {
        const failure = deadline.aborted ? unanswered(timeoutMs) : toFailure(error);
        if (used === cluster && (either.aborted || isConnectionError(error))) reset();
        if (failure.kind === "coordinator-unavailable") coordinator = null;
        signal.throwIfAborted();
        return failure;
      }
    },
    close: () => cluster.close(),
  };
}

function unanswered(timeoutMs: number): GroupFailure {
  return { kind: "coordinator-unavailable", reason: `no answer within ${timeoutMs} ms` };
}

function toJoined(response: JoinGroupResponse): GroupJoined {
  return {
    kind: "joined",
    memberId: response.memberId,
    generation: response.generationId,
    protocol: response.groupProtocol,
    leaderId: response.leaderId,
    members: response.members.map((member) => ({ memberId: member.memberId, metadata: member.memberMetadata })),
  };
}

function toFailure(error: unknown): GroupFailure {
  const type = kafkaErrorType(error);
  const failure = type === null ? undefined : FAILURES[type];
  if (failure !== undefined) return { kind: failure };
  const unavailable = type === null ? isConnectionError(error) : COORDINATOR_FAILURES.has(type);
  return { kind: unavailable ? "coordinator-unavailable" : "refused", reason: type ?? errorMessage(error) };
}
