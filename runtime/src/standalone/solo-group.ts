import type { GroupClient, GroupIdentity } from "../kafka/group-client.ts";

/** A group that has one member for ever: what the member of standalone mode joins instead of Kafka's coordinator. */
export function createSoloGroup(memberId: string): GroupClient {
  let generation = 0;
  const isCurrent = (identity: GroupIdentity) => identity.memberId === memberId;
  return {
    async join(request, signal) {
      signal.throwIfAborted();
      if (request.memberId === "") return { kind: "member-id-required", memberId };
      const [preferred] = request.protocols;
      if (preferred === undefined) return { kind: "refused", reason: "no protocol was offered" };
      generation += 1;
      return {
        kind: "joined",
        memberId,
        generation,
        protocol: preferred.name,
        leaderId: memberId,
        members: [{ memberId, metadata: preferred.metadata }],
      };
    },
    async sync(request, signal) {
      signal.throwIfAborted();
      const own = request.assignments.find((each) => each.memberId === memberId);
      if (!isCurrent(request) || own === undefined) return { kind: "unknown-member" };
      return { kind: "synced", assignment: own.assignment };
    },
    async heartbeat(identity, signal) {
      signal.throwIfAborted();
      return isCurrent(identity) ? { kind: "alive" } : { kind: "unknown-member" };
    },
    async leave(_memberId, signal) {
      signal.throwIfAborted();
      return { kind: "left" };
    },
    async members() {
      return [];
    },
    close() {},
  };
}
