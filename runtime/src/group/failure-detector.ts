import { SelfInfo } from "@headrace/contract";
import type { GroupMemberView, GroupView } from "./group.ts";
import type { PeerAnswer } from "./peer-transport.ts";

/**
 * Decides from probes of `GET /headrace/self` which members are dead (DESIGN: dying is noticed in about a second).
 *
 * Assumptions: one process per URL; a worker's executors die with it; a worker leaves the group before it closes its REST.
 * Guarantees: a member is declared dead only if it had identified itself at its address before, and then the connection was refused
 * or another member has identified itself there. A JVM worker, which closes its REST before it stops its tasks, never identifies
 * itself. Silence proves nothing.
 */
export interface PeerRecord {
  /** Members that have identified themselves at this address. */
  readonly identified: readonly string[];
  /** Refused or reset probes in a row. */
  readonly failures: number;
}

export const UNKNOWN_PEER: PeerRecord = { identified: [], failures: 0 };

export interface Verdict {
  readonly record: PeerRecord;
  readonly dead: readonly string[];
}

const PROOF = 2;

/** `memberIds`: who was known to live at the address when the probe was sent. */
export function judge(record: PeerRecord, answer: PeerAnswer, memberIds: readonly string[]): Verdict {
  switch (answer.kind) {
    case "answered":
      return judgeAnswer(record, answer, memberIds);
    case "silent":
      return { record: { ...record, failures: 0 }, dead: [] };
    case "reset":
    case "refused": {
      const failures = record.failures + 1;
      const proven = answer.kind === "refused" && failures >= PROOF;
      const dead = proven ? memberIds.filter((memberId) => record.identified.includes(memberId)) : [];
      return { record: { ...record, failures }, dead };
    }
    default:
      throw new Error(`unreachable: ${answer satisfies never}`);
  }
}

function judgeAnswer(
  record: PeerRecord,
  answer: PeerAnswer & { kind: "answered" },
  memberIds: readonly string[],
): Verdict {
  const self = answer.status === 200 ? SelfInfo.safeParse(answer.body) : undefined;
  if (self?.success !== true) return { record: UNKNOWN_PEER, dead: [] };
  // A worker without a membership may still be stopping what it held under the old one.
  if (self.data.memberId === "") return { record: { ...record, failures: 0 }, dead: [] };
  const { memberId } = self.data;
  const before = record.identified.filter((known) => known !== memberId && memberIds.includes(known));
  return { record: { identified: [...before, memberId], failures: 0 }, dead: before };
}

/** Whom a member probes: the leader everybody; everybody the leader and the next one in the ring of ids. Member ids by URL, without its own. */
export function probeTargets(view: GroupView, members: readonly GroupMemberView[]): Map<string, string[]> {
  const others = members.filter((member) => member.memberId !== view.memberId && member.url !== "");
  const ring = others.map((member) => member.memberId).sort();
  const next = ring.find((memberId) => memberId > view.memberId) ?? ring[0];
  const probed = others.filter(({ memberId }) => view.isLeader || memberId === view.leaderId || memberId === next);
  const targets = new Map<string, string[]>();
  for (const { url } of probed) {
    targets.set(
      url,
      others.filter((member) => member.url === url).map((member) => member.memberId),
    );
  }
  return targets;
}
