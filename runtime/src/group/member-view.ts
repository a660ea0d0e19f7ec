import type { GroupInfo } from "@headrace/contract";
import type { GroupIdentity } from "../kafka/group-client.ts";
import type { GroupMemberView, GroupView } from "./group.ts";
import type { ProtocolVersion, RoundAssignment } from "./protocol.ts";

/**
 * Where the member is in its life:
 *
 *     outside ──▶ joining ──▶ syncing ──▶ applying ──▶ stable
 *        ▲           ▲───────────┴───────────┴────────────┤  a round is wanted, or has begun
 *        └──────────────── membership lost ───────────────┘  from any state
 */
export type MemberState =
  /** Holds nothing: not joined yet, stopping after a loss, or gone. */
  | { readonly kind: "outside" }
  /** JoinGroup waits for the other members. What is held goes on running; heartbeats go on under the last generation. */
  | { readonly kind: "joining" }
  /** SyncGroup waits for the leader, or this member is the leader and works the round out. */
  | { readonly kind: "syncing" }
  /** The host stops what was revoked and starts what is new. */
  | { readonly kind: "applying" }
  | { readonly kind: "stable" };

/** The last completed round as this member saw it. */
export interface Round {
  readonly version: ProtocolVersion;
  readonly told: RoundAssignment;
  /** null unless this member led it. */
  readonly members: readonly GroupMemberView[] | null;
  readonly balanced: boolean;
}

/** What a member knows of itself and its group. */
export interface MemberFacts {
  readonly identity: GroupIdentity;
  readonly state: MemberState;
  readonly round: Round | null;
  readonly isRejoinWanted: boolean;
  readonly delayMs: number;
  /** The leader's account of this generation, for a follower. */
  readonly leaderInfo: Pick<GroupInfo, "members" | "balanced"> | null;
  readonly self: Omit<GroupMemberView, "memberId">;
}

/** How the group looks from here. */
export function toView({ identity, state, round, isRejoinWanted, delayMs, leaderInfo, self }: MemberFacts): GroupView {
  const { memberId, generation } = identity;
  const leaderId = round?.told.leaderId ?? null;
  const isLeader = leaderId !== null && leaderId === memberId;
  const settled = state.kind === "applying" || state.kind === "stable";
  const rebalancing = !settled || isRejoinWanted;
  const known = isLeader ? round : leaderInfo;
  return {
    memberId,
    generation,
    leaderId,
    leaderUrl: round?.told.leaderUrl ?? null,
    isLeader,
    protocolVersion: round?.version ?? 0,
    rebalancing,
    delayMs,
    members: known?.members ?? [{ memberId, ...self }],
    balanced: !rebalancing && known?.balanced === true,
  };
}
