import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { unlessAborted } from "../kafka/cluster.ts";
import type { GroupClient, GroupIdentity, GroupJoined, HeartbeatResult } from "../kafka/group-client.ts";
import { type AssignorState, INITIAL_ASSIGNOR_STATE } from "./assignor.ts";
import { type Bell, createBell } from "./bell.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type ConfigSync, createConfigSync } from "./config-sync.ts";
import { createDrains, type Drains } from "./drains.ts";
import type { Assigned, Assignment, GroupHost, GroupMember, GroupMemberView, GroupView } from "./group.ts";
import { createHeartbeat, type Heartbeat } from "./heartbeat.ts";
import { type LeaderResult, leadRound, newestConfigOffset } from "./lead.ts";
import { createMembership, type Loss, type Membership, membershipLost } from "./membership.ts";
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
interface Round {
  readonly version: ProtocolVersion;
  readonly told: RoundAssignment;
  /** null unless this member led it. */
  readonly members: readonly GroupMemberView[] | null;
  readonly balanced: boolean;
}

interface Wish {
  readonly reason: string;
  readonly atMs: number;
  /** The coordinator has told of the round, so its other members may well know. */
  readonly byCoordinator: boolean;
}

/** The executors stop a little before the broker would give their work away. */
const LEASE_SHARE = 0.9;
/** Several wishes within it become one round. */
const SOON_MS = 20;
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
  readonly #membership: Membership;
  readonly #heartbeat: Heartbeat;
  readonly #configSync: ConfigSync;
  readonly #bell: Bell;
  readonly #listeners = new Set<(view: GroupView) => void>();
  readonly #drains: Drains = createDrains();

  #state: MemberState = { kind: "outside" };
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
    this.#configSync = createConfigSync({ host, timeoutMs: options.syncTimeoutMs, maxDelayMs, log });
    this.#membership = createMembership({ client, lose: (loss) => this.#lose(loss), clock, log });
    this.#heartbeat = createHeartbeat({
      client,
      intervalMs: options.heartbeatIntervalMs,
      leaseMs: this.#leaseMs(),
      identity: () => this.#membership.identity(),
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
      const others = this.#peers.urls();
      await this.#membership.leave();
      this.#enter("outside");
      await this.#peers.poke(others);
      this.#drains.done();
      this.#transport.close();
    }
  }

  view(): GroupView {
    const { memberId, generation } = this.#membership.identity();
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
    const identity = this.#membership.identity();
    const leads = () => {
      const { isLeader, rebalancing } = this.view();
      return isLeader && !rebalancing && identity === this.#membership.identity();
    };
    if (leads()) {
      const sentAtMs = this.#clock.now();
      const result = await this.#client.heartbeat(identity, signal);
      this.#heard(result, identity, sentAtMs);
      if (result.kind === "alive" && leads()) return;
    }
    throw new ConnectError("rebalance", `Leadership in generation ${identity.generation} could not be confirmed`);
  }

  async drain(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#draining = true;
    if (this.#state.kind === "outside" && !this.#hostInvolved) return;
    this.#want("this worker is draining", 0);
    await this.#drains.wait(signal);
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
      this.#log.error({ error }, "a rebalance failed");
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
    this.#log.info({ group: this.#options.groupId, reason: wish.reason }, "joining the group");
    this.#enter("joining");
    const neighbours = this.#round === null ? await this.#findNeighbours(signal) : [];
    const joined = await this.#membership.join(
      {
        describe: () => this.#prepareJoin(),
        sent: () => this.#tellPeers(neighbours, wish),
        holdsWork: this.#hostInvolved,
      },
      signal,
    );
    this.#enter("syncing");
    const round = await this.#completeRound(joined, signal);
    if (round === null) {
      this.#want("another round has begun", 0);
      return;
    }
    this.#lastGeneration = joined.generation;
    await this.#apply(round, signal);
    this.#settleDrains(round);
  }

  /** null: another round has begun meanwhile. */
  async #completeRound(joined: GroupJoined, signal: AbortSignal): Promise<Round | null> {
    const version = protocolVersion(joined.protocol);
    const led = joined.leaderId === joined.memberId ? await this.#lead(joined, version, signal) : null;
    const { generation } = joined;
    const synced = await this.#membership.sync({ generation, assignments: led?.assignments ?? [] }, signal);
    if (synced === null) return null;
    this.#renewLease(synced.sentAtMs);
    if (led !== null) this.#assignor = led.state;
    const told = decodeAssignment(synced.bytes);
    return { version, told, members: led?.members ?? null, balanced: led?.balanced ?? false };
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

  /** What this worker says of itself in each protocol that it speaks. Wishes from now on want a later round. */
  #prepareJoin(): { name: string; metadata: Buffer }[] {
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
    this.#enter("applying");
    if (told.error === "config-mismatch") return this.#applyMismatch(told, signal);
    const revoked = round.version === 0 ? without(this.#held, told.assigned) : intersection(this.#held, told.revoked);
    this.#held = round.version === 0 ? told.assigned : union(without(this.#held, revoked), told.assigned);
    if (!isEmpty(revoked) && round.version !== 0) this.#want("revoked work was given back", 0);
    const current = await this.#configSync.catchUp(told.configOffset, signal);
    const assignment = current ? this.#held : without(this.#running, revoked);
    await this.#tellHost({ assignment, revoked, configOffset: told.configOffset, configMismatch: false }, signal);
    if (!current) {
      this.#retryConfig();
      return;
    }
    if (this.#host.snapshot().offset > told.configOffset) this.#want("the configuration has moved on", SOON_MS);
    this.#scheduledAtMs = told.delayMs > 0 ? this.#clock.now() + told.delayMs : null;
    this.#enter("stable");
  }

  async #applyMismatch({ configOffset, leaderId }: RoundAssignment, signal: AbortSignal): Promise<void> {
    const assignment = this.#running;
    await this.#tellHost({ assignment, revoked: NO_WORK, configOffset, configMismatch: true }, signal);
    const behind = this.#host.snapshot().offset < configOffset;
    if (!(await this.#configSync.catchUp(configOffset, signal))) {
      this.#retryConfig();
      return;
    }
    const leads = leaderId === this.#membership.identity().memberId;
    this.#want("the leader's configuration was behind", behind || leads ? 0 : MISMATCH_WAIT_MS);
    this.#enter("stable");
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

  /** Unlike a JVM worker this one stays in the group while it waits, since it goes on running what it holds. */
  #retryConfig(): void {
    const pauseMs = this.#configSync.nextPauseMs();
    if (pauseMs === null) throw this.#lose({ reason: "the config topic cannot be read", forgetId: true, leave: true });
    this.#want("the config topic could not be read", pauseMs);
    this.#enter("stable");
  }

  #settleDrains({ told, version }: Round): void {
    if (!this.#askedToDrain || told.error !== "none") return;
    if (isEmpty(this.#held)) this.#drains.done();
    else if (version === 0) this.#drains.refused("the group's protocol is eager");
    else if (isEmpty(told.revoked)) this.#drains.refused("no other worker takes the work");
  }

  // ── staying a member ──

  #heard(result: HeartbeatResult, identity: GroupIdentity, sentAtMs: number): void {
    const pulse = this.#membership.judge(result, identity, sentAtMs);
    switch (pulse.kind) {
      case "steady":
        if (pulse.renews) this.#renewLease(sentAtMs);
        break;
      case "rebalance":
        this.#renewLease(sentAtMs);
        this.#want("the group rebalances", 0, true);
        break;
      case "lost":
        this.#lose(pulse.loss);
        break;
      default:
        throw new Error(`unreachable: ${pulse satisfies never}`);
    }
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
    const error = membershipLost(this.#loss);
    this.#tenure.abort(error);
    return error;
  }

  async #stopEverything(loss: Loss, signal: AbortSignal): Promise<void> {
    this.#log.warn({ reason: loss.reason }, "membership lost, stopping everything");
    this.#round = null;
    this.#wish = null;
    this.#scheduledAtMs = null;
    this.#held = NO_WORK;
    this.#running = NO_WORK;
    this.#heartbeat.dropLease();
    const stopped = this.#hostInvolved ? Promise.all([this.#host.lost(loss.reason, signal), this.#applying]) : null;
    const ended = this.#membership.end(loss, Promise.resolve(stopped), signal);
    this.#enter("outside");
    await ended;
    this.#hostInvolved = false;
    this.#drains.done();
  }

  async #remove(memberId: string, signal: AbortSignal): Promise<boolean> {
    const result = await this.#client.leave(memberId, signal);
    if (result.kind !== "left" && result.kind !== "unknown-member") return false;
    void this.#peers.poke(this.#peers.urls());
    this.#heartbeat.hurry();
    return true;
  }

  // ── small steps ──

  #enter(kind: MemberState["kind"]): void {
    this.#state = { kind };
    this.#announce();
  }

  #want(reason: string, delayMs: number, byCoordinator = false): void {
    const atMs = this.#clock.now() + delayMs;
    if (this.#wish !== null && this.#wish.atMs <= atMs) return;
    this.#wish = { reason, atMs, byCoordinator };
    this.#bell.ring();
    this.#announce();
  }

  /**
   * REST addresses of the members of a stable group, so that they hear of a newcomer before their next heartbeat. A member with this
   * worker's own address is its former process, which was killed: nobody would be given its work before its session ends.
   */
  async #findNeighbours(signal: AbortSignal): Promise<string[]> {
    const self = this.#membership.identity().memberId;
    const urls: string[] = [];
    for (const { memberId, metadata } of await this.#client.members(signal)) {
      const url = urlOf(metadata);
      if (url === null || memberId === self) continue;
      if (url !== this.#options.url) urls.push(url);
      else if (await this.#remove(memberId, signal))
        this.#log.warn({ memberId, url }, "removed this worker's former member");
    }
    return urls;
  }

  /** The leader tells everybody of a round, a follower the leader, a newcomer those that it found. */
  #tellPeers(neighbours: readonly string[], { byCoordinator }: Wish): void {
    const { isLeader, leaderUrl } = this.view();
    if (isLeader) void this.#peers.poke(this.#peers.urls());
    else if (leaderUrl === null) void this.#peers.poke(neighbours);
    else if (!byCoordinator) void this.#peers.poke([leaderUrl]);
  }

  #announce(): void {
    const view = this.view();
    for (const listener of this.#listeners) listener(view);
  }
}

/** null: not a worker's metadata. */
function urlOf(metadata: Buffer): string | null {
  try {
    return decodeMetadata(metadata).url;
  } catch {
    return null;
  }
}
