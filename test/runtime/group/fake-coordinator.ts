import { decodeMetadata, type MemberMetadata } from "#runtime/group/protocol.ts";
import type {
  GroupClient,
  GroupFailure,
  HeartbeatResult,
  JoinResult,
  SyncResult,
} from "#runtime/kafka/group-client.ts";

interface FakeMember {
  readonly memberId: string;
  protocols: readonly { readonly name: string; readonly metadata: Buffer }[];
  join: ((result: JoinResult) => void) | null;
  sync: ((result: SyncResult) => void) | null;
  assignment: Buffer;
}

const UNAVAILABLE: GroupFailure = { kind: "coordinator-unavailable", reason: "away" };

/** A group coordinator in memory: the classic protocol without its timers (members expire when the test says so). */
export class FakeCoordinator {
  generation = 0;
  leaderId = "";
  away = false;
  /** The next join gets no answer, and is not heard either. */
  loseNextJoin = false;
  /** Answers to heartbeats wait for this. */
  slowness: Promise<void> = Promise.resolve();
  readonly joins: { readonly memberId: string; readonly metadata: MemberMetadata }[] = [];
  readonly left: string[] = [];
  readonly #members = new Map<string, FakeMember>();
  readonly #issued = new Set<string>();
  #state: "empty" | "preparing" | "completing" | "stable" = "empty";
  #protocol = "";
  #lastId = 0;

  get memberIds(): string[] {
    return [...this.#members.keys()];
  }

  /** The session of a member runs out, or somebody evicts it. */
  remove(memberId: string): boolean {
    const member = this.#members.get(memberId);
    if (member === undefined) return false;
    this.#members.delete(memberId);
    member.join?.({ kind: "unknown-member" });
    member.sync?.({ kind: "unknown-member" });
    if (this.leaderId === memberId) this.leaderId = "";
    if (this.#members.size === 0) this.#state = "empty";
    else this.#prepare();
    this.#maybeComplete();
    return true;
  }

  /** A round without this member's doing, as another member's join makes it; it lasts until that one is released. */
  disturb(memberId = "other"): void {
    this.#members.set(memberId, { memberId, protocols: [], join: null, sync: null, assignment: Buffer.alloc(0) });
    this.#prepare();
  }

  /** The group has moved on without telling. */
  skipGeneration(): void {
    this.generation += 1;
  }

  client(): GroupClient {
    return {
      join: ({ memberId, protocols }, signal) => abortable(signal, () => this.#join(memberId, protocols)),
      sync: ({ memberId, generation, assignments }, signal) =>
        abortable(signal, () => this.#sync(memberId, generation, assignments)),
      heartbeat: async ({ memberId, generation }) => {
        const answer = this.#heartbeat(memberId, generation);
        await this.slowness;
        return answer;
      },
      leave: async (memberId) => {
        if (this.away) return UNAVAILABLE;
        this.left.push(memberId);
        return this.remove(memberId) ? { kind: "left" } : { kind: "unknown-member" };
      },
      members: async () =>
        this.#state === "stable"
          ? [...this.#members.values()].map(({ memberId, protocols }) => ({
              memberId,
              metadata: protocols[0]?.metadata ?? Buffer.alloc(0),
            }))
          : [],
      close: () => {},
    };
  }

  #join(memberId: string, protocols: FakeMember["protocols"]): Promise<JoinResult> {
    if (this.away) return Promise.resolve(UNAVAILABLE);
    if (memberId === "") {
      this.#lastId += 1;
      const issued = `m${this.#lastId}`;
      this.#issued.add(issued);
      return Promise.resolve({ kind: "member-id-required", memberId: issued });
    }
    if (!this.#members.has(memberId) && !this.#issued.delete(memberId)) {
      return Promise.resolve({ kind: "unknown-member" });
    }
    const [preferred] = protocols;
    if (preferred !== undefined) this.joins.push({ memberId, metadata: decodeMetadata(preferred.metadata) });
    const { promise, resolve } = Promise.withResolvers<JoinResult>();
    if (this.loseNextJoin) {
      this.loseNextJoin = false;
      return promise;
    }
    const known = this.#members.get(memberId);
    const unchanged = known !== undefined && String(known.protocols.map(toText)) === String(protocols.map(toText));
    if (this.#state === "stable" && unchanged && memberId !== this.leaderId)
      return Promise.resolve(this.#joined(known));
    const member = known ?? { memberId, protocols, join: null, sync: null, assignment: Buffer.alloc(0) };
    member.protocols = protocols;
    member.join = resolve;
    this.#members.set(memberId, member);
    this.#prepare();
    this.#maybeComplete();
    return promise;
  }

  #sync(
    memberId: string,
    generation: number,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
  ): Promise<SyncResult> {
    const member = this.#members.get(memberId);
    if (this.away) return Promise.resolve(UNAVAILABLE);
    if (member === undefined) return Promise.resolve({ kind: "unknown-member" });
    if (generation !== this.generation) return Promise.resolve({ kind: "illegal-generation" });
    if (this.#state === "preparing") return Promise.resolve({ kind: "rebalance-in-progress" });
    if (this.#state === "completing" && memberId === this.leaderId) {
      for (const { memberId: to, assignment } of assignments) {
        const target = this.#members.get(to);
        if (target !== undefined) target.assignment = assignment;
      }
      this.#state = "stable";
      for (const each of this.#members.values()) {
        each.sync?.({ kind: "synced", assignment: each.assignment });
        each.sync = null;
      }
    }
    if (this.#state === "stable") return Promise.resolve({ kind: "synced", assignment: member.assignment });
    const { promise, resolve } = Promise.withResolvers<SyncResult>();
    member.sync = resolve;
    return promise;
  }

  #heartbeat(memberId: string, generation: number): HeartbeatResult {
    if (this.away) return UNAVAILABLE;
    if (!this.#members.has(memberId)) return { kind: "unknown-member" };
    if (generation !== this.generation) return { kind: "illegal-generation" };
    return this.#state === "preparing" ? { kind: "rebalance-in-progress" } : { kind: "alive" };
  }

  #prepare(): void {
    this.#state = "preparing";
    for (const member of this.#members.values()) {
      member.sync?.({ kind: "rebalance-in-progress" });
      member.sync = null;
    }
  }

  #maybeComplete(): void {
    const members = [...this.#members.values()];
    const [first] = members;
    if (this.#state !== "preparing" || first === undefined || members.some((member) => member.join === null)) return;
    this.generation += 1;
    this.#state = "completing";
    if (!this.#members.has(this.leaderId)) this.leaderId = first.memberId;
    const common = first.protocols.find(({ name }) =>
      members.every((member) => member.protocols.some((protocol) => protocol.name === name)),
    );
    this.#protocol = common?.name ?? "";
    for (const member of members) {
      member.join?.(this.#joined(member));
      member.join = null;
    }
  }

  #joined({ memberId }: FakeMember): JoinResult {
    const members = [...this.#members.values()].map((member) => ({
      memberId: member.memberId,
      metadata: member.protocols.find((protocol) => protocol.name === this.#protocol)?.metadata ?? Buffer.alloc(0),
    }));
    return {
      kind: "joined",
      memberId,
      generation: this.generation,
      protocol: this.#protocol,
      leaderId: this.leaderId,
      members: memberId === this.leaderId ? members : [],
    };
  }
}

const toText = ({ name, metadata }: { name: string; metadata: Buffer }) => `${name}:${metadata.toString("hex")}`;

function abortable<T>(signal: AbortSignal, request: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return Promise.race([request(), promise]);
}
