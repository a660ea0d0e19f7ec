import { type BackOff, backOffMs } from "../back-off.ts";
import type { ObjectKey } from "../kube/client.ts";
import { createDueTimes } from "./due-times.ts";

/** A key that somebody works on. */
export interface Work {
  readonly key: ObjectKey;
  /** How often it failed in a row before. */
  readonly failures: number;
  /** When it became due. */
  readonly dueAtMs: number;
}

/** How a piece of work ended. */
export type WorkResult =
  | { readonly kind: "settled" }
  | { readonly kind: "retry-after"; readonly delayMs: number }
  | { readonly kind: "failed" };

/** Which keys are due, and when. Holds no timer: whoever works on it says what time it is. */
export interface WorkQueue {
  /** Makes `key` due at `dueAtMs`. Earliest time wins; a key in work is looked at again afterwards. */
  add(key: ObjectKey, dueAtMs: number): void;
  /** The next key that is due and may be worked on, now in work; null if there is none. */
  take(nowMs: number): Work | null;
  /** Ends work begun by `take`. Answers the pause before the next attempt, 0 if none was asked for. */
  done(work: Work, result: WorkResult, nowMs: number): number;
  /** When the next key becomes due; null if none is waiting for its time. Keys that are due already do not count. */
  nextDueAtMs(): number | null;
  /** Keys that are due and wait for a worker or for their group. */
  depth(): number;
}

/** What a queue is bounded by. */
export interface QueueOptions {
  readonly backOff: BackOff;
  readonly random: () => number;
  /** Keys with the same group share a limit; null stands for a group of its own. */
  readonly groupOf?: ((key: ObjectKey) => string | null) | undefined;
  /** How many keys of one group are in work at a time. */
  readonly groupLimit?: number | undefined;
}

interface Entry {
  readonly id: string;
  readonly key: ObjectKey;
  /** When it wants to be worked on; null if it has no wish beyond the work in progress. */
  dueAtMs: number | null;
  phase: "waiting" | "ready" | "working";
  failures: number;
  group: Group | null;
}

interface Group {
  readonly id: string;
  readonly ready: Entry[];
  working: number;
}

/**
 * Guarantees: a key is in work once at a time; a group has at most `groupLimit` keys in work, and groups with work due take
 * turns, so that neither a hanging nor a busy group delays another; within a group, first due is first served.
 */
export function createWorkQueue(options: QueueOptions): WorkQueue {
  const { backOff, random, groupOf = () => null, groupLimit = Number.POSITIVE_INFINITY } = options;
  const entries = new Map<string, Entry>();
  const timers = createDueTimes<Entry>();
  const groups = new Map<string, Group>();
  /** Groups that have a ready key and room for it, in turn. */
  const turns = new Set<Group>();
  let ready = 0;

  function schedule(entry: Entry, dueAtMs: number): void {
    if (entry.phase === "ready") return;
    if (entry.dueAtMs !== null && entry.dueAtMs <= dueAtMs) return;
    entry.dueAtMs = dueAtMs;
    if (entry.phase === "waiting") timers.add(entry, dueAtMs);
  }

  /** Forgets times that were overtaken by an earlier one or by work. */
  function nextTimer(): { readonly item: Entry; readonly dueAtMs: number } | undefined {
    for (let next = timers.peek(); next !== undefined; next = timers.peek()) {
      if (next.item.phase === "waiting" && next.item.dueAtMs === next.dueAtMs) return next;
      timers.shift();
    }
    return undefined;
  }

  function promote(nowMs: number): void {
    for (let next = nextTimer(); next !== undefined && next.dueAtMs <= nowMs; next = nextTimer()) {
      timers.shift();
      const entry = next.item;
      const id = groupOf(entry.key) ?? `\0${entry.id}`;
      const group = groups.get(id) ?? { id, ready: [], working: 0 };
      groups.set(id, group);
      entry.phase = "ready";
      entry.group = group;
      group.ready.push(entry);
      ready += 1;
      giveTurn(group);
    }
  }

  function giveTurn(group: Group): void {
    if (group.ready.length > 0 && group.working < groupLimit) turns.add(group);
    else if (group.ready.length === 0 && group.working === 0) groups.delete(group.id);
  }

  return {
    add(key, dueAtMs) {
      const id = `${key.namespace}/${key.name}`;
      const entry = entries.get(id) ?? { id, key, dueAtMs: null, phase: "waiting", failures: 0, group: null };
      entries.set(id, entry);
      schedule(entry, dueAtMs);
    },

    take(nowMs) {
      promote(nowMs);
      const [group] = turns;
      const entry = group?.ready.shift();
      if (group === undefined || entry === undefined) return null;
      turns.delete(group);
      group.working += 1;
      ready -= 1;
      giveTurn(group);
      const dueAtMs = entry.dueAtMs ?? nowMs;
      entry.phase = "working";
      entry.dueAtMs = null;
      return { key: entry.key, failures: entry.failures, dueAtMs };
    },

    done({ key }, result, nowMs) {
      const entry = entries.get(`${key.namespace}/${key.name}`);
      if (entry === undefined || entry.phase !== "working") throw new Error(`${key.name} is not in work`);
      if (entry.group !== null) {
        entry.group.working -= 1;
        giveTurn(entry.group);
        entry.group = null;
      }
      entry.failures = result.kind === "failed" ? entry.failures + 1 : 0;
      const wanted = entry.dueAtMs;
      entry.phase = "waiting";
      entry.dueAtMs = null;
      if (wanted !== null) schedule(entry, wanted);
      const delayMs = delayOf(result, entry.failures);
      if (delayMs !== null) schedule(entry, nowMs + delayMs);
      if (entry.dueAtMs === null) entries.delete(entry.id);
      return delayMs ?? 0;
    },

    nextDueAtMs: () => nextTimer()?.dueAtMs ?? null,
    depth: () => ready,
  };

  function delayOf(result: WorkResult, failures: number): number | null {
    switch (result.kind) {
      case "settled":
        return null;
      case "retry-after":
        return result.delayMs;
      case "failed":
        return backOffMs(backOff, failures, random);
      default:
        throw new Error(`unreachable: ${result satisfies never}`);
    }
  }
}
