import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { unlessAborted } from "../kafka/cluster.ts";
import type { GroupClient, GroupFailure, GroupIdentity, GroupJoined, HeartbeatResult } from "../kafka/group-client.ts";
import { type AssignorState, INITIAL_ASSIGNOR_STATE } from "./assignor.ts";
import { type Bell, createBell } from "./bell.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type ConfigSync, createConfigSync } from "./config-sync.ts";
import type { Assigned, Assignment, GroupHost, GroupMember, GroupMemberView, GroupView } from "./group.ts";
import { createHeartbeat, type Heartbeat } from "./heartbeat.ts";
import { type LeaderResult, leadRound, newestConfigOffset } from "./lead.ts";
import { createPeerTransport, type PeerTransport } from "./peer-transport.ts";
import { createPeers, type Peers } from "./peers.ts";
import {
  type ConnectProtocol,
  decodeAssignment,
  decodeMetadata,
  encodeMetadata,
  PROTOCOLS,
  type ProtocolVersion,
  protocolVersion,
  type RoundAssignment,
} from "./protocol.ts";
import { intersection, isEmpty, NO_WORK, union, without } from "./work.ts";

export interface MemberOptions {
  readonly groupId: string;
  /** Advertised REST URL with a slash at the end. */
  readonly url: string;
  readonly client: GroupClient;
  readonly host: GroupHost;
  /** `connect.protocol` */
  readonly protocol: ConnectProtocol;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** `scheduled.rebalance.max.delay.ms` */
  readonly maxDelayMs: number;
  /** `worker.sync.timeout.ms`: how long reading the config topic to its end may take. */
  readonly syncTimeoutMs: number;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Default: plain HTTP and HTTPS by the URL. */
  readonly transport?: PeerTransport;
}

/**
 * Where the member is in its life:
 *
 *     outside ──▶ joining ──▶ syncing ──▶ applying ──▶ stable
 *        ▲           ▲ └─────────┴───────────┴──────────┤ a round is wanted
 *        └───────────┴── membership lost, everything stops ◀┘
 */
export type MemberState =
  /** Holds nothing: not joined yet, stopping after a loss, or gone. */
  | { readonly kind: "outside" }
  /** JoinGroup waits for the other members. What is held goes on running; heartbeats go on under the last generation. */
  | { readonly kind: "joining"; readonly sentAtMs: number; readonly attempt: AbortController }
  /** SyncGroup waits for the leader, or this member is the leader and works the round out. */
  | { readonly kind: "syncing"; readonly sentAtMs: number; readonly attempt: AbortController }
  /** The host stops what was revoked and starts what is new. */
  | { readonly kind: "applying" }
  | { readonly kind: "stable" };

/** The last completed round as this member saw it. */
interface Round {
  readonly version: ProtocolVersion;
  readonly told: RoundAssignment;
  /** null unless this member led it. */
  readonly members: readonly GroupMemberView[] | null;
  readonly balanced: boolean;
}

interface Loss {
  readonly reason: string;
  /** The coordinator does not know the member id any more, so the next join asks for a new one. */
  readonly forgetId: boolean;
  /** The coordinator still knows it, and others are to have the work. */
  readonly leave: boolean;
}

interface Drain {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Wish {
  readonly reason: string;
  readonly atMs: number;
  /** The coordinator has told of the round, so its other members may well know. */
  readonly byCoordinator: boolean;
}

const FRESH: GroupIdentity = { memberId: "", generation: -1 };
/** The executors stop a little before the broker would give their work away. */
const LEASE_SHARE = 0.9;
/** Several wishes within it become one round. */
const SOON_MS = 20;
const RETRY_MS = { first: 100, max: 1_000, refused: 5_000 };
/** A waiting request that the coordinator contradicts for longer than this has been lost on its way. */
const LOST_REQUEST_MS = 1_000;
const LEAVE_TIMEOUT_MS = 5_000;
/** A follower whose leader was behind waits so long for the leader's rejoin. */
const MISMATCH_WAIT_MS = 1_000;

/**
 * A member of a Connect group (contract §1): joins, obeys its leader or is it, keeps the lease of its work alive.
 *
 * Guarantees: rounds come one after another; the host never holds work without a lease; when membership is lost, everything is stopped
 * before the next join, which then claims nothing (invariant 3); it leaves the group whenever `run` ends.
 */
export function createMember(options: MemberOptions): GroupMember {
  return new Member(options);
}

class Member implements GroupMember {
  readonly #options: MemberOptions;
  readonly #client: GroupClient;
  readonly #host: GroupHost;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #transport: PeerTransport;
  readonly #peers: Peers;
  readonly #heartbeat: Heartbeat;
  readonly #configSync: ConfigSync;
  readonly #bell: Bell;
  readonly #listeners = new Set<(view: GroupView) => void>();
  readonly #drains = new Set<Drain>();

  #state: MemberState = { kind: "outside" };
  #identity: GroupIdentity = FRESH;
  /** Member id that the coordinator may still know; to be left with. */
  #knownId = "";
  #round: Round | null = null;
  /** What the leader has given to this member; claimed at the next join. */
  #held: Assignment = NO_WORK;
  /** What the host was told to run: lacks new work as long as the config topic could not be read. */
  #running: Assignment = NO_WORK;
  #hostInvolved = false;
  #applying: Promise<void> = Promise.resolve();
  #wish: Wish | null = null;
  #scheduledAtMs: number | null = null;
  #assignor: AssignorState = INITIAL_ASSIGNOR_STATE;
  #lastGeneration = -1;
  #draining = false;
  #askedToDrain = false;
  #retryMs = RETRY_MS.first;
  #tenure = new AbortController();
  #loss: Loss | null = null;

  constructor(options: MemberOptions) {
    const clock = options.clock ?? systemClock;
    const { client, host, log, maxDelayMs } = options;
    this.#options = options;
    this.#client = client;
    this.#host = host;
    this.#clock = clock;
    this.#log = log;
    this.#transport = options.transport ?? createPeerTransport();
    this.#bell = createBell(clock);
    this.#configSync = createConfigSync({ host, timeoutMs: options.syncTimeoutMs, maxDelayMs, clock, log });
    this.#heartbeat = createHeartbeat({
      client,
      intervalMs: options.heartbeatIntervalMs,
      leaseMs: this.#leaseMs(),
      identity: () => this.#identity,
      heard: (result, identity, sentAtMs) => this.#heard(result, identity, sentAtMs),
      expired: () => this.#lose({ reason: `no heartbeat within ${this.#leaseMs()} ms`, forgetId: false, leave: false }),
      clock,
    });
    this.#peers = createPeers({
      transport: this.#transport,
      url: options.url,
      view: () => this.view(),
      evict: (memberId, signal) => this.#remove(memberId, signal),
      onLeaderInfo: () => this.#announce(),
      clock,
      log,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const peers = this.#peers.run(AbortSignal.any([signal, stop.signal]));
    try {
      while (!signal.aborted) {
        const loss = await this.#serve(signal);
        if (loss !== null) await this.#stopEverything(loss, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      stop.abort();
      await peers;
      await this.#leave();
      this.#transport.close();
    }
  }

  view(): GroupView {
    const { memberId, generation } = this.#identity;
    const told = this.#round?.told ?? null;
    const isLeader = told !== null && told.leaderId === memberId;
    const settled = this.#state.kind === "applying" || this.#state.kind === "stable";
    const rebalancing = !settled || this.#wish !== null;
    const known = isLeader ? this.#round : this.#peers.leaderInfo(generation);
    const self = { memberId, url: this.#options.url, draining: this.#draining, assignment: this.#held };
    return {
      memberId,
      generation,
      leaderId: told?.leaderId ?? null,
      leaderUrl: told?.leaderUrl ?? null,
      isLeader,
      protocolVersion: this.#round?.version ?? 0,
      rebalancing,
      delayMs: this.#scheduledAtMs === null ? 0 : Math.max(0, Math.ceil(this.#scheduledAtMs - this.#clock.now())),
      members: known?.members ?? [self],
      balanced: !rebalancing && known?.balanced === true,
    };
  }

  requestRejoin(reason: string): void {
    this.#want(reason, SOON_MS);
  }

  poked(): void {
    this.#heartbeat.hurry();
  }

  async confirm(signal: AbortSignal): Promise<void> {
    const identity = this.#identity;
    const sentAtMs = this.#clock.now();
    if (this.view().rebalancing) throw new ConnectError("rebalance", "A rebalance is in progress");
    const result = await this.#client.heartbeat(identity, signal);
    this.#heard(result, identity, sentAtMs);
    if (result.kind === "alive" && identity === this.#identity && !this.view().rebalancing) return;
    throw new ConnectError("rebalance", `Membership in generation ${identity.generation} could not be confirmed`);
  }

  async drain(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#draining = true;
    if (this.#state.kind === "outside") return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const drain = { resolve, reject };
    this.#drains.add(drain);
    this.#want("this worker is draining", 0);
    try {
      await unlessAborted(promise, signal);
    } finally {
      this.#drains.delete(drain);
    }
  }

  async evict(memberId: string, signal: AbortSignal): Promise<void> {
    if (await this.#remove(memberId, signal)) return;
    throw new ConnectError("kafka", `Member ${memberId} was not removed: the group's coordinator is not available`);
  }

  onView(listener: (view: GroupView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** One membership, from its first join to its loss; null when `signal` has aborted. */
  async #serve(signal: AbortSignal): Promise<Loss | null> {
    const tenure = new AbortController();
    this.#tenure = tenure;
    this.#loss = null;
    this.#want("this worker is new", 0);
    const both = AbortSignal.any([signal, tenure.signal]);
    const heartbeat = this.#heartbeat.run(both);
    try {
      for (;;) await this.#takeRound(await this.#nextWish(both), both);
    } catch (error) {
      if (signal.aborted) return null;
      if (this.#loss !== null) return this.#loss;
      this.#log.error({ err: error }, "a rebalance failed");
      return { reason: "a rebalance failed", forgetId: true, leave: true };
    } finally {
      tenure.abort();
      await heartbeat;
    }
  }

  // ── one round ──

  async #nextWish(signal: AbortSignal): Promise<Wish> {
    for (;;) {
      const now = this.#clock.now();
      const scheduledAtMs = this.#scheduledAtMs ?? Number.POSITIVE_INFINITY;
      if (this.#wish !== null && this.#wish.atMs <= now) return this.#wish;
      if (scheduledAtMs <= now) return { reason: "the scheduled delay is over", atMs: now, byCoordinator: false };
      await this.#bell.wait(Math.min(scheduledAtMs, this.#wish?.atMs ?? scheduledAtMs) - now, signal);
    }
  }

  async #takeRound(wish: Wish, signal: AbortSignal): Promise<void> {
    if (this.#round?.version === 0) await this.#stopBeforeEagerJoin(signal);
    this.#log.info({ reason: wish.reason, memberId: this.#identity.memberId }, "joining the group");
    const joined = await this.#join(wish, signal);
    const round = await this.#sync(joined, signal);
    if (round === null) return this.#want("another round has begun", 0);
    this.#retryMs = RETRY_MS.first;
    this.#lastGeneration = joined.generation;
    await this.#apply(round, signal);
    this.#settleDrains(round);
  }

  /** Joins, again and again if need be, until a round has begun. */
  async #join(wish: Wish, signal: AbortSignal): Promise<GroupJoined> {
    const neighbours = this.#round === null ? await this.#findNeighbours(signal) : [];
    for (;;) {
      const attempt = this.#enter("joining");
      const { memberId } = this.#identity;
      const request = { memberId, protocols: this.#describeSelf() };
      const pending = this.#client.join(request, AbortSignal.any([signal, attempt.signal]));
      if (memberId !== "") this.#tellPeers(neighbours, wish);
      const result = await this.#unlessLost(pending, attempt, signal);
      switch (result.kind) {
        case "joined":
          this.#become(result);
          return result;
        case "member-id-required":
          this.#become({ memberId: result.memberId, generation: -1 });
          break;
        case "unknown-member":
        case "fenced":
          if (this.#hostInvolved) throw this.#lose({ reason: result.kind, forgetId: true, leave: false });
          this.#become(FRESH);
          break;
        case "illegal-generation":
        case "rebalance-in-progress":
        case "coordinator-unavailable":
        case "refused":
          await this.#pauseAfter(result, signal);
          break;
        default:
          throw new Error(`unreachable: ${result satisfies never}`);
      }
    }
  }

  /** null: another round has begun meanwhile. */
  async #sync(joined: GroupJoined, signal: AbortSignal): Promise<Round | null> {
    const attempt = this.#enter("syncing");
    const version = protocolVersion(joined.protocol);
    const led = joined.leaderId === joined.memberId ? await this.#lead(joined, version, signal) : null;
    const sentAtMs = this.#clock.now();
    const request = { memberId: joined.memberId, generation: joined.generation, assignments: led?.assignments ?? [] };
    const pending = this.#client.sync(request, AbortSignal.any([signal, attempt.signal]));
    const result = await this.#unlessLost(pending, attempt, signal);
    switch (result.kind) {
      case "synced":
        this.#renewLease(sentAtMs);
        if (led !== null) this.#assignor = led.state;
        return {
          version,
          told: decodeAssignment(result.assignment),
          members: led?.members ?? null,
          balanced: led?.balanced ?? false,
        };
      case "rebalance-in-progress":
      case "illegal-generation":
        return null;
      case "unknown-member":
      case "fenced":
        throw this.#lose({ reason: result.kind, forgetId: true, leave: false });
      case "coordinator-unavailable":
      case "refused":
        await this.#pauseAfter(result, signal);
        return null;
      default:
        throw new Error(`unreachable: ${result satisfies never}`);
    }
  }

  async #lead(joined: GroupJoined, version: ProtocolVersion, signal: AbortSignal): Promise<LeaderResult> {
    const members = joined.members.map(({ memberId, metadata }) => ({ memberId, metadata: decodeMetadata(metadata) }));
    await this.#configSync.catchUp(newestConfigOffset(members), signal);
    return leadRound(this.#assignor, {
      version,
      generation: joined.generation,
      lastGeneration: this.#lastGeneration,
      self: { memberId: joined.memberId, url: this.#options.url },
      members,
      snapshot: this.#host.snapshot(),
      maxDelayMs: this.#options.maxDelayMs,
      nowMs: this.#clock.now(),
    });
  }

  /** The metadata of each protocol that this worker can take part in. */
  #describeSelf(): { name: string; metadata: Buffer }[] {
    this.#wish = null;
    this.#scheduledAtMs = null;
    this.#askedToDrain = this.#draining;
    const told = this.#round?.told;
    const allocation = told === undefined ? null : { ...told, error: "none" as const, assigned: this.#held };
    const metadata = {
      url: this.#options.url,
      configOffset: this.#host.snapshot().offset,
      allocation: allocation === null ? null : { ...allocation, revoked: NO_WORK, delayMs: 0 },
      draining: this.#draining,
    };
    return PROTOCOLS[this.#options.protocol].map(({ name, version }) => ({
      name,
      metadata: encodeMetadata(version, metadata),
    }));
  }

  // ── what a round means for this member ──

  async #apply(round: Round, signal: AbortSignal): Promise<void> {
    const { told } = round;
    this.#round = round;
    this.#state = { kind: "applying" };
    this.#log.info(
      { generation: this.#identity.generation, leader: told.leaderUrl, delayMs: told.delayMs },
      "round done",
    );
    if (told.error === "config-mismatch") return this.#applyMismatch(told, signal);
    const revoked = round.version === 0 ? without(this.#held, told.assigned) : intersection(this.#held, told.revoked);
    this.#held = round.version === 0 ? told.assigned : union(without(this.#held, revoked), told.assigned);
    if (!isEmpty(revoked) && round.version !== 0) this.#want("revoked work was given back", 0);
    const current = await this.#configSync.catchUp(told.configOffset, signal);
    const assignment = current ? this.#held : without(this.#running, revoked);
    await this.#tellHost({ assignment, revoked, configOffset: told.configOffset, configMismatch: false }, signal);
    if (!current) return this.#retryConfig(signal);
    if (this.#host.snapshot().offset > told.configOffset) this.#want("the configuration has moved on", SOON_MS);
    this.#scheduledAtMs = told.delayMs > 0 ? this.#clock.now() + told.delayMs : null;
    this.#enterStable();
  }

  async #applyMismatch({ configOffset, leaderId }: RoundAssignment, signal: AbortSignal): Promise<void> {
    const assignment = this.#running;
    await this.#tellHost({ assignment, revoked: NO_WORK, configOffset, configMismatch: true }, signal);
    const behind = this.#host.snapshot().offset < configOffset;
    if (!(await this.#configSync.catchUp(configOffset, signal))) return this.#retryConfig(signal);
    const leads = leaderId === this.#identity.memberId;
    this.#want("the leader's configuration was behind", behind || leads ? 0 : MISMATCH_WAIT_MS);
    this.#enterStable();
  }

  /** Under the eager protocol everybody stops everything before a round. Source: WorkerCoordinator.onJoinPrepare. */
  async #stopBeforeEagerJoin(signal: AbortSignal): Promise<void> {
    const revoked = this.#running;
    this.#held = NO_WORK;
    if (isEmpty(revoked)) return;
    const configOffset = this.#round?.told.configOffset ?? -1n;
    await this.#tellHost({ assignment: NO_WORK, revoked, configOffset, configMismatch: false }, signal);
  }

  async #tellHost(round: Omit<Assigned, "view">, signal: AbortSignal): Promise<void> {
    this.#hostInvolved = true;
    this.#running = round.assignment;
    this.#announce();
    const applying = this.#host.assigned({ ...round, view: this.view() }, signal);
    this.#applying = applying.catch(() => {});
    await unlessAborted(applying, signal);
  }

  async #retryConfig(signal: AbortSignal): Promise<void> {
    if (!(await this.#configSync.backOff(signal))) {
      throw this.#lose({ reason: "the config topic cannot be read", forgetId: true, leave: true });
    }
    this.#want("the config topic could not be read", 0);
    this.#enterStable();
  }

  #settleDrains({ told, version }: Round): void {
    if (!this.#askedToDrain || told.error !== "none") return;
    if (isEmpty(this.#held)) this.#drained();
    if (isEmpty(this.#held) || !isEmpty(told.revoked)) return;
    const why = version === 0 ? "the group's protocol is eager" : "no other worker takes the work";
    for (const drain of this.#drains) drain.reject(new ConnectError("unavailable", `Cannot drain: ${why}`));
  }

  #drained(): void {
    for (const drain of this.#drains) drain.resolve();
  }

  // ── staying a member ──

  #heard(result: HeartbeatResult, identity: GroupIdentity, sentAtMs: number): void {
    if (identity !== this.#identity) return;
    const state = this.#state;
    const settled = state.kind === "applying" || state.kind === "stable";
    switch (result.kind) {
      case "alive":
        this.#renewLease(sentAtMs);
        if (state.kind === "joining") this.#doubt(state, sentAtMs);
        break;
      case "rebalance-in-progress":
        if (identity.generation >= 0) this.#renewLease(sentAtMs);
        if (settled) this.#want("the group rebalances", 0, true);
        break;
      case "illegal-generation":
        if (settled) this.#lose({ reason: result.kind, forgetId: false, leave: false });
        else if (identity.generation >= 0) this.#doubt(state, sentAtMs);
        break;
      case "unknown-member":
      case "fenced":
        if (settled) this.#lose({ reason: result.kind, forgetId: true, leave: false });
        else this.#doubt(state, sentAtMs);
        break;
      case "coordinator-unavailable":
        this.#log.debug({ reason: result.reason }, "no answer to a heartbeat");
        break;
      case "refused":
        this.#log.error({ reason: result.reason }, "a heartbeat was refused");
        break;
      default:
        throw new Error(`unreachable: ${result satisfies never}`);
    }
  }

  /** The coordinator says what cannot be while the request waits there: it was lost, and is sent again. */
  #doubt(state: MemberState, sentAtMs: number): void {
    if (state.kind !== "joining" && state.kind !== "syncing") return;
    if (sentAtMs > state.sentAtMs + LOST_REQUEST_MS) state.attempt.abort();
  }

  #renewLease(sentAtMs: number): void {
    this.#heartbeat.renewLease(sentAtMs);
    this.#host.renewLease(sentAtMs, this.#leaseMs());
  }

  #leaseMs(): number {
    return this.#options.sessionTimeoutMs * LEASE_SHARE;
  }

  /** Ends the present membership; the loop in `run` does the rest. */
  #lose(loss: Loss): Error {
    this.#loss ??= loss;
    const error = new ConnectError("rebalance", `Membership lost: ${this.#loss.reason}`);
    this.#tenure.abort(error);
    return error;
  }

  async #stopEverything(loss: Loss, signal: AbortSignal): Promise<void> {
    const memberId = this.#knownId;
    this.#log.warn({ reason: loss.reason, memberId }, "membership lost, stopping everything");
    this.#state = { kind: "outside" };
    this.#identity = FRESH;
    this.#round = null;
    this.#wish = null;
    this.#scheduledAtMs = null;
    this.#held = NO_WORK;
    this.#running = NO_WORK;
    this.#heartbeat.dropLease();
    this.#announce();
    if (this.#hostInvolved) await Promise.all([this.#host.lost(loss.reason, signal), this.#applying]);
    this.#hostInvolved = false;
    this.#drained();
    if (loss.leave && memberId !== "") {
      await this.#client.leave(memberId, signal);
      await this.#clock.sleep(RETRY_MS.max, signal);
    }
    this.#become(loss.forgetId ? FRESH : { memberId, generation: -1 });
  }

  async #leave(): Promise<void> {
    const memberId = this.#knownId;
    this.#state = { kind: "outside" };
    this.#become(FRESH);
    this.#announce();
    if (memberId === "") return;
    const deadline = AbortSignal.timeout(LEAVE_TIMEOUT_MS);
    try {
      while ((await this.#client.leave(memberId, deadline)).kind === "coordinator-unavailable") {
        await this.#clock.sleep(RETRY_MS.first, deadline);
      }
      this.#log.info({ memberId }, "left the group");
    } catch (error) {
      this.#log.warn({ memberId, err: error }, "could not leave the group");
    }
  }

  async #remove(memberId: string, signal: AbortSignal): Promise<boolean> {
    const result = await this.#client.leave(memberId, signal);
    if (result.kind !== "left" && result.kind !== "unknown-member") return false;
    this.#peers.pokeAll();
    this.#heartbeat.hurry();
    return true;
  }

  // ── small steps ──

  #become({ memberId, generation }: GroupIdentity): void {
    this.#identity = { memberId, generation };
    this.#knownId = memberId;
  }

  #enter(kind: "joining" | "syncing"): AbortController {
    const attempt = new AbortController();
    this.#state = { kind, sentAtMs: this.#clock.now(), attempt };
    this.#announce();
    return attempt;
  }

  #enterStable(): void {
    this.#state = { kind: "stable" };
    this.#announce();
  }

  #want(reason: string, delayMs: number, byCoordinator = false): void {
    const atMs = this.#clock.now() + delayMs;
    if (this.#wish !== null && this.#wish.atMs <= atMs) return;
    this.#wish = { reason, atMs, byCoordinator };
    this.#bell.ring();
    this.#announce();
  }

  async #unlessLost<T>(pending: Promise<T>, attempt: AbortController, signal: AbortSignal): Promise<T | GroupFailure> {
    try {
      return await pending;
    } catch (error) {
      signal.throwIfAborted();
      if (!attempt.signal.aborted) throw error;
      return { kind: "coordinator-unavailable", reason: "the request was lost" };
    }
  }

  async #pauseAfter(failure: GroupFailure, signal: AbortSignal): Promise<void> {
    if (failure.kind === "refused") {
      this.#log.error({ reason: failure.reason }, "the group refuses this worker");
      return this.#clock.sleep(RETRY_MS.refused, signal);
    }
    this.#log.debug({ failure }, "the group's coordinator is not available");
    const pauseMs = this.#retryMs;
    this.#retryMs = Math.min(RETRY_MS.max, pauseMs * 2);
    return this.#clock.sleep(pauseMs, signal);
  }

  /** REST addresses of the members of a stable group, so that they hear of a newcomer before their next heartbeat. */
  async #findNeighbours(signal: AbortSignal): Promise<string[]> {
    const members = await this.#client.members(signal);
    return members.flatMap(({ metadata }) => {
      try {
        return [decodeMetadata(metadata).url];
      } catch {
        return []; // Not a worker's metadata: nobody to tell.
      }
    });
  }

  #tellPeers(neighbours: readonly string[], { byCoordinator }: Wish): void {
    if (neighbours.length > 0) this.#peers.pokeUrls(neighbours);
    else if (!byCoordinator || this.view().isLeader) this.#peers.poke();
  }

  #announce(): void {
    const view = this.view();
    for (const listener of this.#listeners) listener(view);
  }
}
