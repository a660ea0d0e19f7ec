import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import type { GroupClient, GroupIdentity, GroupJoined, HeartbeatResult } from "../kafka/group-client.ts";
import { createStages, type Stages } from "../stages.ts";
import { type AssignorState, INITIAL_ASSIGNOR_STATE } from "./assignor.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type ConfigSync, createConfigSync } from "./config-sync.ts";
import { createDrains, type Drains } from "./drains.ts";
import type { Assigned, GroupHost, GroupMember, GroupView } from "./group.ts";
import { createHeartbeat, type Heartbeat } from "./heartbeat.ts";
import { createHoldings, type Holdings } from "./holdings.ts";
import { type LeaderResult, leadRound, newestConfigOffset } from "./lead.ts";
import { createLease, type Lease } from "./lease.ts";
import type { MemberOptions } from "./member-options.ts";
import { type MemberState, type Round, toView } from "./member-view.ts";
import { createMembership, type Loss, type Membership, membershipLost } from "./membership.ts";
import { createPeerTransport, type PeerTransport } from "./peer-transport.ts";
import { createPeers, type Peers } from "./peers.ts";
import {
  decodeAssignment,
  decodeMetadata,
  encodeMetadata,
  PROTOCOLS,
  type ProtocolVersion,
  protocolVersion,
} from "./protocol.ts";
import { createWishes, type Wish, type Wishes } from "./wishes.ts";
import { isEmpty, NO_WORK, without } from "./work.ts";

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
  readonly #stages: Stages;
  readonly #transport: PeerTransport;
  readonly #peers: Peers;
  readonly #membership: Membership;
  readonly #heartbeat: Heartbeat;
  readonly #configSync: ConfigSync;
  readonly #wishes: Wishes;
  readonly #holdings: Holdings;
  readonly #lease: Lease;
  readonly #listeners = new Set<(view: GroupView) => void>();
  readonly #drains: Drains = createDrains();

  #state: MemberState = { kind: "outside" };
  #round: Round | null = null;
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
    this.#stages = options.stages ?? createStages(() => clock.now());
    this.#transport = options.transport ?? createPeerTransport();
    this.#wishes = createWishes(clock, () => this.#announce());
    this.#holdings = createHoldings(host);
    this.#lease = createLease({ ...options, clock });
    this.#configSync = createConfigSync({ host, timeoutMs: options.syncTimeoutMs, maxDelayMs, log });
    this.#membership = createMembership({ client, lose: (loss) => this.#lose(loss), clock, log });
    this.#heartbeat = createHeartbeat({
      client,
      intervalMs: options.heartbeatIntervalMs,
      identity: () => this.#membership.identity(),
      heard: (result, identity, sentAtMs) => this.#heard(result, identity, sentAtMs),
      expired: () => this.#leaseExpired(),
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
    const identity = this.#membership.identity();
    return toView({
      identity,
      state: this.#state,
      round: this.#round,
      isRejoinWanted: this.#wishes.isPending(),
      delayMs: this.#wishes.scheduledInMs(),
      leaderInfo: this.#peers.leaderInfo(identity.generation),
      self: { url: this.#options.url, draining: this.#draining, assignment: this.#holdings.held() },
    });
  }

  requestRejoin(reason: string): void {
    this.#wishes.add(reason, SOON_MS);
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
    if (this.#state.kind === "outside" && !this.#holdings.isHostInvolved()) return;
    this.#wishes.add("this worker is draining", 0);
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
    this.#wishes.add("this worker is new", 0);
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

  #nextWish(signal: AbortSignal): Promise<Wish> {
    const delayMs = this.#wishes.scheduledInMs();
    const limit = delayMs === 0 ? "" : `for up to ${delayMs}ms or `;
    return this.#stages.idling(`polling the group coordinator ${limit}until interrupted`, () =>
      this.#wishes.next(signal),
    );
  }

  // ── one round ──

  async #takeRound(wish: Wish, signal: AbortSignal): Promise<void> {
    if (this.#round?.version === 0) await this.#stopBeforeEagerJoin(signal);
    this.#log.info({ group: this.#options.groupId, reason: wish.reason }, "joining the group");
    this.#enter("joining");
    const neighbours = this.#round === null ? await this.#findNeighbours(signal) : [];
    const joined = await this.#membership.join(
      {
        describe: () => this.#prepareJoin(),
        sent: () => this.#tellPeers(neighbours, wish),
        holdsWork: this.#holdings.isHostInvolved(),
      },
      signal,
    );
    this.#enter("syncing");
    const round = await this.#completeRound(joined, signal);
    if (round === null) {
      this.#wishes.add("another round has begun", 0);
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
      becameEager: this.#becameEager(version),
      maxDelayMs: this.#options.maxDelayMs,
      nowMs: this.#clock.now(),
    });
  }

  /** What this worker says of itself in each protocol that it speaks. Wishes from now on want a later round. */
  #prepareJoin(): { name: string; metadata: Buffer }[] {
    this.#wishes.clear();
    this.#askedToDrain = this.#draining;
    const told = this.#round?.told;
    const allocation = told === undefined ? null : { ...told, error: "none" as const, assigned: this.#holdings.held() };
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
    const becameEager = this.#becameEager(round.version);
    const told = becameEager ? { ...round.told, assigned: NO_WORK } : round.told;
    this.#round = round;
    this.#enter("applying");
    if (told.error === "config-mismatch") return this.#applyMismatch(round, signal);
    if (becameEager) this.#wishes.add("the group's protocol has become eager", 0);
    const revoked = this.#holdings.take(told, round.version);
    if (!isEmpty(revoked) && round.version !== 0) this.#wishes.add("revoked work was given back", 0);
    const current = await this.#configSync.catchUp(told.configOffset, signal);
    const assignment = current ? this.#holdings.held() : without(this.#holdings.running(), revoked);
    await this.#tellHost({ assignment, revoked, configOffset: told.configOffset, configMismatch: false }, signal);
    if (!current) {
      this.#retryConfig(round.version);
      return;
    }
    if (this.#host.snapshot().offset > told.configOffset) this.#wishes.add("the configuration has moved on", SOON_MS);
    this.#wishes.schedule(told.delayMs);
    this.#enter("stable");
  }

  /**
   * Invariant 3: nobody has stopped anything before the first eager round of a group that was cooperative. So nothing is started in it; before
   * the next one everybody has stopped everything.
   */
  #becameEager(version: ProtocolVersion): boolean {
    return version === 0 && this.#round !== null && this.#round.version > 0;
  }

  async #applyMismatch({ told, version }: Round, signal: AbortSignal): Promise<void> {
    const { configOffset, leaderId } = told;
    const assignment = this.#holdings.running();
    await this.#tellHost({ assignment, revoked: NO_WORK, configOffset, configMismatch: true }, signal);
    const behind = this.#host.snapshot().offset < configOffset;
    if (!(await this.#configSync.catchUp(configOffset, signal))) {
      this.#retryConfig(version);
      return;
    }
    const leads = leaderId === this.#membership.identity().memberId;
    this.#wishes.add("the leader's configuration was behind", behind || leads ? 0 : MISMATCH_WAIT_MS);
    this.#enter("stable");
  }

  /** Under the eager protocol everybody stops everything before a round. Source: WorkerCoordinator.onJoinPrepare. */
  async #stopBeforeEagerJoin(signal: AbortSignal): Promise<void> {
    const revoked = this.#holdings.giveUp();
    if (isEmpty(revoked)) return;
    const configOffset = this.#round?.told.configOffset ?? -1n;
    await this.#tellHost({ assignment: NO_WORK, revoked, configOffset, configMismatch: false }, signal);
  }

  async #tellHost(round: Omit<Assigned, "view">, signal: AbortSignal): Promise<void> {
    const done = this.#lease.hostIsBusy();
    try {
      const told = this.#holdings.tell({ ...round, view: this.view() }, signal);
      this.#announce();
      await told;
    } finally {
      done();
    }
  }

  /**
   * Unlike a JVM worker this one stays in the group while it waits, since it goes on running what it holds; under the eager protocol it
   * runs nothing, so others are to have the work meanwhile.
   */
  #retryConfig(version: ProtocolVersion): void {
    const lost = { reason: "the config topic cannot be read", forgetId: true, leave: true };
    if (version === 0) throw this.#lose({ ...lost, pauseMs: this.#options.unsyncBackoffMs });
    const pauseMs = this.#configSync.nextPauseMs();
    if (pauseMs === null) throw this.#lose(lost);
    this.#wishes.add("the config topic could not be read", pauseMs);
    this.#enter("stable");
  }

  #settleDrains({ told, version }: Round): void {
    if (!this.#askedToDrain || told.error !== "none") return;
    if (isEmpty(this.#holdings.held())) this.#drains.done();
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
        this.#wishes.add("the group rebalances", 0, true);
        break;
      case "lost":
        this.#lose(pulse.loss);
        break;
      default:
        throw new Error(`unreachable: ${pulse satisfies never}`);
    }
  }

  #renewLease(sentAtMs: number): void {
    const untilMs = this.#lease.untilMs(sentAtMs);
    if (untilMs <= sentAtMs) return;
    this.#heartbeat.renewLease(untilMs);
    this.#host.renewLease(sentAtMs, untilMs - sentAtMs);
  }

  #leaseExpired(): void {
    const busyMs = this.#lease.overdueMs();
    if (busyMs === null) {
      this.#lose({ reason: `no heartbeat within ${this.#lease.lengthMs} ms`, forgetId: false, leave: false });
      return;
    }
    this.#log.warn(
      { busyMs, rebalanceTimeoutMs: this.#options.rebalanceTimeoutMs, stage: this.#stages.describe() },
      "worker poll timeout has expired: work that a rebalance took away has not stopped in time, leaving the group",
    );
    this.#lose({ reason: "worker poll timeout has expired", forgetId: true, leave: true });
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
    this.#wishes.clear();
    this.#heartbeat.dropLease();
    const ended = this.#membership.end(loss, this.#holdings.lose(loss.reason, signal), signal);
    this.#enter("outside");
    await ended;
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

  /**
   * REST addresses of the members of a stable group, so that they hear of a newcomer before their next heartbeat. A member with this
   * worker's own address is its former process, since this one listens there now: without it nobody waits for its session to end.
   */
  async #findNeighbours(signal: AbortSignal): Promise<string[]> {
    const urls: string[] = [];
    for (const { memberId, metadata } of await this.#client.members(signal)) {
      const url = urlOf(metadata);
      if (url === null || memberId === this.#membership.identity().memberId) continue;
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
