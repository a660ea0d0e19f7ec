import type { Assignment } from "./group.ts";
import { type ItemKey, isConnector, sortKeys, toKeys, toWork } from "./work.ts";

/**
 * The leader's decision in one round of incremental cooperative rebalancing (KIP-415, IncrementalCooperativeAssignor): work is only ever
 * given to a member after its former owner has reported that it no longer holds it, so a move takes two rounds, revoke and assign.
 *
 * Guarantees: an item that a member still holds is given to nobody else; not more is revoked than balance needs; with the same input
 * the answer is the same. Draining members (ours, not in Java) lose everything at once and get nothing, unless all are draining.
 */

/** What the leader remembers between its rounds. */
export interface AssignorState {
  /** Everything that was assigned after the last round, work of departed members that is waiting for their return included. */
  readonly assigned: ReadonlySet<ItemKey>;
  readonly revoked: ReadonlySet<ItemKey>;
  readonly members: ReadonlySet<string>;
  /** Generation of the last round; -1 before the first. */
  readonly generation: number;
  /** Until then the work of departed members waits for them to come back. */
  readonly lostUntilMs: number | null;
  readonly revokedForBalance: boolean;
  readonly successiveRevocations: number;
  /** Until then nothing is revoked for balance again. */
  readonly backOffUntilMs: number | null;
}

export const INITIAL_ASSIGNOR_STATE: AssignorState = {
  assigned: new Set(),
  revoked: new Set(),
  members: new Set(),
  generation: -1,
  lostUntilMs: null,
  revokedForBalance: false,
  successiveRevocations: 0,
  backOffUntilMs: null,
};

export interface AssignorMember {
  readonly memberId: string;
  /** What it says that it holds. */
  readonly holds: Assignment;
  readonly draining: boolean;
}

export interface AssignorInput {
  readonly members: readonly AssignorMember[];
  readonly configured: Assignment;
  /** The generation that this round makes. */
  readonly generation: number;
  /** The last generation that this worker completed; if another one led it, what we remember is void. */
  readonly lastGeneration: number;
  /** `scheduled.rebalance.max.delay.ms` */
  readonly maxDelayMs: number;
  readonly nowMs: number;
}

export interface MemberShare {
  /** Increments only. */
  readonly assigned: Assignment;
  readonly revoked: Assignment;
  /** Everything the member holds after this round. */
  readonly holds: Assignment;
}

export interface AssignorResult {
  readonly shares: ReadonlyMap<string, MemberShare>;
  /** Milliseconds until the next round is wanted; 0: none is. */
  readonly delayMs: number;
  /** Everything configured is assigned, nothing is pending, and per kind nobody holds more than one item above any other. */
  readonly balanced: boolean;
  readonly state: AssignorState;
}

/** Per member what it holds; changed in place while a round is worked out. */
type Loads = Map<string, Set<ItemKey>>;

const BACK_OFF_MULTIPLIER = 40;

export function assign(state: AssignorState, input: AssignorInput): AssignorResult {
  const { nowMs, maxDelayMs } = input;
  const configured = new Set(toKeys(input.configured));
  const held: Loads = new Map(input.members.map((member) => [member.memberId, new Set(toKeys(member.holds))]));
  const active = new Set([...held.values()].flatMap((keys) => [...keys]));
  const previous = rememberedAssignment(state, input.lastGeneration, active);
  const takers = input.members.flatMap((member) => (member.draining ? [] : [member.memberId])).sort();

  const loads: Loads = new Map([...held].map(([memberId, keys]) => [memberId, new Set(keys)]));
  const duplicated = keysHeldTwice(held);
  for (const keys of loads.values()) {
    for (const key of [...keys]) if (!configured.has(key) || duplicated.has(key)) keys.delete(key);
  }
  for (const { memberId, draining } of input.members) {
    if (draining && takers.length > 0) loads.get(memberId)?.clear();
  }

  const created = [...configured].filter((key) => !previous.has(key) && !active.has(key));
  const lost = [...previous].filter((key) => configured.has(key) && !active.has(key));
  const lostUntilMs = waitForDeparted(state, lost, input);
  const waiting = lostUntilMs !== null;

  const needed = waiting ? new Map<string, ItemKey[]>() : overload(loads, takers, configured);
  const balance = decideBalancing(state, needed, { nowMs, maxDelayMs, waiting });
  if (balance.revoke) {
    for (const [memberId, keys] of needed) for (const key of keys) loads.get(memberId)?.delete(key);
  }

  const unplaced = fill(loads, takers, waiting ? created : [...created, ...lost]);

  const shares = new Map(input.members.map(({ memberId }) => [memberId, toShare(memberId, held, loads)]));
  const revoked = new Set([...shares.values()].flatMap((share) => toKeys(share.revoked)));
  const total = [...loads.values()].flatMap((keys) => [...keys]);
  const unplacedLost = unplaced.filter((key) => previous.has(key));
  const untilMs = lostUntilMs ?? balance.backOffUntilMs;
  return {
    shares,
    delayMs: untilMs === null ? 0 : untilMs - nowMs,
    balanced:
      untilMs === null && revoked.size === 0 && total.length === configured.size && isEven(loads, takers, configured),
    state: {
      assigned: new Set([...total, ...unplacedLost, ...(waiting ? lost : [])]),
      revoked,
      members: new Set(held.keys()),
      generation: input.generation,
      lostUntilMs,
      revokedForBalance: balance.revokedForBalance,
      successiveRevocations: balance.successiveRevocations,
      backOffUntilMs: balance.backOffUntilMs,
    },
  };
}

/** What was assigned, unless another leader came between, or a revocation did not arrive: then what is reported counts. */
function rememberedAssignment(
  state: AssignorState,
  lastGeneration: number,
  active: ReadonlySet<ItemKey>,
): ReadonlySet<ItemKey> {
  if (state.generation !== lastGeneration) return new Set();
  return [...state.revoked].some((key) => active.has(key)) ? active : state.assigned;
}

function keysHeldTwice(held: Loads): Set<ItemKey> {
  const seen = new Set<ItemKey>();
  const twice = new Set<ItemKey>();
  for (const keys of held.values()) {
    for (const key of keys) (seen.has(key) ? twice : seen).add(key);
  }
  return twice;
}

/**
 * Until when the work of members that are gone waits for them to come back; null: it is given away now. Those that did come back are
 * empty by then, so {@link fill} favours them as Java's candidate workers are.
 */
function waitForDeparted(
  state: AssignorState,
  lost: readonly ItemKey[],
  { members, maxDelayMs, nowMs }: AssignorInput,
): number | null {
  if (lost.length === 0 || maxDelayMs === 0) return null;
  if (state.lostUntilMs !== null) return nowMs < state.lostUntilMs ? state.lostUntilMs : null;
  const present = new Set(members.map((member) => member.memberId));
  const allPresent = [...state.members].every((memberId) => present.has(memberId));
  return allPresent ? null : nowMs + maxDelayMs;
}

/** What each member holds above its limit, connectors and tasks counted apart; empty if the loads are even or all members are empty. */
function overload(loads: Loads, takers: readonly string[], configured: ReadonlySet<ItemKey>): Map<string, ItemKey[]> {
  const surplus = new Map<string, ItemKey[]>();
  for (const ofKind of [isConnector, isTask]) {
    const { floor, extra } = limits(takers.length, configured, ofKind);
    let extrasLeft = extra;
    for (const memberId of takers) {
      const keys = sortKeys([...(loads.get(memberId) ?? [])].filter(ofKind));
      if (keys.length <= floor) continue;
      const limit = extrasLeft > 0 ? floor + 1 : floor;
      extrasLeft -= limit - floor;
      if (keys.length > limit) {
        surplus.set(memberId, [...(surplus.get(memberId) ?? []), ...keys.slice(0, keys.length - limit)]);
      }
    }
  }
  return surplus;
}

interface Balancing {
  readonly revoke: boolean;
  readonly revokedForBalance: boolean;
  readonly successiveRevocations: number;
  readonly backOffUntilMs: number | null;
}

/** Revocations for balance in two rounds running are spaced out: 40, 1600, 64000 … ms, at most `maxDelayMs`. */
function decideBalancing(
  state: AssignorState,
  needed: ReadonlyMap<string, readonly ItemKey[]>,
  { nowMs, maxDelayMs, waiting }: { nowMs: number; maxDelayMs: number; waiting: boolean },
): Balancing {
  const waited = state.lostUntilMs !== null && !waiting;
  const revokedForBalance = state.revokedForBalance && !waited;
  const unchanged = { revoke: false, revokedForBalance, backOffUntilMs: null };
  if (waiting) return { ...unchanged, successiveRevocations: state.successiveRevocations };
  if (needed.size === 0) {
    const successiveRevocations = revokedForBalance ? 0 : state.successiveRevocations;
    return { ...unchanged, revokedForBalance: false, successiveRevocations };
  }
  if (state.backOffUntilMs !== null && nowMs < state.backOffUntilMs) {
    const { successiveRevocations, backOffUntilMs } = state;
    return { ...unchanged, successiveRevocations, backOffUntilMs };
  }
  if (!revokedForBalance) {
    const { successiveRevocations } = state;
    return { revoke: true, revokedForBalance: true, successiveRevocations, backOffUntilMs: null };
  }
  const successiveRevocations = state.successiveRevocations + 1;
  const delayMs = Math.min(maxDelayMs, BACK_OFF_MULTIPLIER ** successiveRevocations);
  if (delayMs === 0) return { revoke: true, revokedForBalance: true, successiveRevocations, backOffUntilMs: null };
  return { revoke: false, revokedForBalance: false, successiveRevocations, backOffUntilMs: nowMs + delayMs };
}

/** Gives the items of each kind to the members with the fewest of it, level by level. Returns what nobody can take. */
function fill(loads: Loads, takers: readonly string[], items: readonly ItemKey[]): ItemKey[] {
  if (takers.length === 0) return [...items];
  const sorted = sortKeys(items);
  for (const ofKind of [isConnector, isTask]) fillLevels(loads, takers, { items: sorted.filter(ofKind), ofKind });
  return [];
}

/** The order of the members, by their load and then their id, is fixed at the start. Source: assignConnectors, assignTasks. */
function fillLevels(
  loads: Loads,
  takers: readonly string[],
  { items, ofKind }: { readonly items: readonly ItemKey[]; readonly ofKind: (key: ItemKey) => boolean },
): void {
  const ranked = takers
    .map((memberId) => ({ memberId, count: [...(loads.get(memberId) ?? [])].filter(ofKind).length }))
    .sort((one, other) => one.count - other.count || (one.memberId < other.memberId ? -1 : 1));
  for (const key of items) {
    const least = ranked.reduce((best, next) => (next.count < best.count ? next : best));
    least.count += 1;
    loads.get(least.memberId)?.add(key);
  }
}

function isEven(loads: Loads, takers: readonly string[], configured: ReadonlySet<ItemKey>): boolean {
  if (takers.length === 0) return configured.size === 0;
  return [isConnector, isTask].every((ofKind) => {
    const { floor, extra } = limits(takers.length, configured, ofKind);
    return takers.every((memberId) => {
      const count = [...(loads.get(memberId) ?? [])].filter(ofKind).length;
      return count === floor || (extra > 0 && count === floor + 1);
    });
  });
}

function limits(
  takers: number,
  configured: ReadonlySet<ItemKey>,
  ofKind: (key: ItemKey) => boolean,
): { floor: number; extra: number } {
  const count = [...configured].filter(ofKind).length;
  return { floor: Math.floor(count / takers), extra: count % takers };
}

function isTask(key: ItemKey): boolean {
  return !isConnector(key);
}

function toShare(memberId: string, held: Loads, loads: Loads): MemberShare {
  const before = held.get(memberId) ?? new Set();
  const after = loads.get(memberId) ?? new Set();
  return {
    assigned: toWork([...after].filter((key) => !before.has(key))),
    revoked: toWork([...before].filter((key) => !after.has(key))),
    holds: toWork(after),
  };
}
