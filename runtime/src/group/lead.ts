import { type AssignorState, assign, type MemberShare } from "./assignor.ts";
import { assignEagerly } from "./eager-assignor.ts";
import type { ConfigSnapshot, GroupMemberView } from "./group.ts";
import { encodeAssignment, type MemberMetadata, type ProtocolVersion, type RoundAssignment } from "./protocol.ts";
import { NO_WORK } from "./work.ts";

/** The leader's part of a round: from what the members said of themselves to what each of them is told. */

export interface JoinedMember {
  readonly memberId: string;
  readonly metadata: MemberMetadata;
}

export interface LeaderInput {
  readonly version: ProtocolVersion;
  readonly generation: number;
  readonly lastGeneration: number;
  readonly self: { readonly memberId: string; readonly url: string };
  readonly members: readonly JoinedMember[];
  readonly snapshot: ConfigSnapshot;
  /** The former round was cooperative, this one is not: members may still run what they do not claim, so nothing is given away. */
  readonly becameEager: boolean;
  readonly maxDelayMs: number;
  readonly nowMs: number;
}

export interface LeaderResult {
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
  readonly members: readonly GroupMemberView[];
  readonly balanced: boolean;
  readonly state: AssignorState;
}

/** The newest position of the config topic that any member has seen. */
export function newestConfigOffset(members: readonly JoinedMember[]): bigint {
  return members.reduce(
    (newest, { metadata }) => (metadata.configOffset > newest ? metadata.configOffset : newest),
    -1n,
  );
}

/** Decides one round. A leader whose configuration is behind a member's assigns nothing: everybody is told of the mismatch. */
export function leadRound(state: AssignorState, input: LeaderInput): LeaderResult {
  const newest = newestConfigOffset(input.members);
  if (input.snapshot.offset < newest) return refuseRound(state, input, newest);
  return input.version === 0 ? leadEagerly(state, input) : leadCooperatively(state, input);
}

function refuseRound(state: AssignorState, input: LeaderInput, newest: bigint): LeaderResult {
  const refusal = { ...emptyRound(input), error: "config-mismatch", configOffset: newest } as const;
  return {
    assignments: input.members.map((member) => toWire(input, member.memberId, refusal)),
    members: input.members.map((member) => toView(member, heldBy(member))),
    balanced: false,
    state: state.generation === input.lastGeneration ? { ...state, generation: input.generation } : state,
  };
}

function leadEagerly(state: AssignorState, input: LeaderInput): LeaderResult {
  const shares = assignEagerly(
    input.members.map((member) => member.memberId),
    input.becameEager ? { ...input.snapshot, ...NO_WORK } : input.snapshot,
  );
  const shareOf = (memberId: string) => shares.get(memberId) ?? NO_WORK;
  return {
    assignments: input.members.map(({ memberId }) =>
      toWire(input, memberId, { ...emptyRound(input), assigned: shareOf(memberId) }),
    ),
    members: input.members.map((member) => toView(member, shareOf(member.memberId))),
    balanced: !input.becameEager,
    state,
  };
}

function leadCooperatively(state: AssignorState, input: LeaderInput): LeaderResult {
  const result = assign(state, {
    members: input.members.map((member) => ({
      memberId: member.memberId,
      holds: heldBy(member),
      draining: member.metadata.draining,
    })),
    configured: input.snapshot,
    generation: input.generation,
    lastGeneration: input.lastGeneration,
    maxDelayMs: input.maxDelayMs,
    nowMs: input.nowMs,
  });
  const shareOf = (memberId: string): MemberShare =>
    result.shares.get(memberId) ?? { assigned: NO_WORK, revoked: NO_WORK, holds: NO_WORK };
  return {
    assignments: input.members.map(({ memberId }) => {
      const { assigned, revoked } = shareOf(memberId);
      const delayMs = Math.ceil(result.delayMs);
      return toWire(input, memberId, { ...emptyRound(input), assigned, revoked, delayMs });
    }),
    members: input.members.map((member) => {
      const { holds, revoked } = shareOf(member.memberId);
      return { ...toView(member, holds), leaving: revoked };
    }),
    balanced: result.balanced,
    state: result.state,
  };
}

function emptyRound({ self, snapshot }: LeaderInput): RoundAssignment {
  return {
    error: "none",
    leaderId: self.memberId,
    leaderUrl: self.url,
    configOffset: snapshot.offset,
    assigned: NO_WORK,
    revoked: NO_WORK,
    delayMs: 0,
  };
}

function toWire({ version }: LeaderInput, memberId: string, round: RoundAssignment) {
  return { memberId, assignment: encodeAssignment(version, round) };
}

function heldBy({ metadata }: JoinedMember): GroupMemberView["assignment"] {
  return metadata.allocation?.assigned ?? NO_WORK;
}

function toView({ memberId, metadata }: JoinedMember, assignment: GroupMemberView["assignment"]): GroupMemberView {
  return { memberId, url: metadata.url, draining: metadata.draining, assignment };
}
