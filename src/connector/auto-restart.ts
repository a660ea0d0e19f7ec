import type { AutoRestart, ConnectorSnapshot, InstanceState, KafkaConnectorStatus } from "@headrace/contract";
import { type BackOff, backOffMs } from "../back-off.ts";
import { type InstanceId, instancesOf } from "./instances.ts";

/** How failed instances are restarted without anybody asking. */
export interface RestartPolicy extends BackOff {
  /** Restarts of one instance until somebody has to look at it; null is no limit. */
  readonly maxRestarts: number | null;
  /** How long something has to run until its restarts are forgotten. */
  readonly resetAfterMs: number;
}

/** What is remembered of one instance. Times are epoch ms. */
export interface InstanceRecord {
  readonly state: InstanceState;
  /** Since when it has been in that state. */
  readonly sinceMs: number;
  /** Restarts since it was healthy last. */
  readonly restarts: number;
  readonly restartedAtMs: number | null;
  /** When it is to be restarted; null unless it has failed. */
  readonly dueAtMs: number | null;
}

/** All instances of one connector. */
export type RestartBook = ReadonlyMap<InstanceId, InstanceRecord>;

/** The policy that `spec.autoRestart` asks for; null where it is off. */
export function toRestartPolicy(wanted: AutoRestart | undefined): RestartPolicy | null {
  if (wanted === undefined || wanted.enabled === false) return null;
  const { maxRestarts = null, backoff, resetAfterSeconds = 600 } = wanted;
  const maxMs = (backoff?.maxSeconds ?? 300) * 1_000;
  const baseMs = Math.min((backoff?.initialSeconds ?? 1) * 1_000, maxMs);
  return { baseMs, maxMs, maxRestarts, resetAfterMs: resetAfterSeconds * 1_000 };
}

/** The longest time after a restart until it is believed that the instance runs. */
const PROVING_MS = 30_000;

export interface BookInputs {
  readonly actual: ConnectorSnapshot;
  readonly policy: RestartPolicy;
  /** What an earlier operator wrote down, for instances that are not in the book. */
  readonly recorded: KafkaConnectorStatus["autoRestart"];
  readonly nowMs: number;
  readonly random: () => number;
}

/**
 * The book after what the workers tell now. A failure is due for a restart after a pause that doubles with each one; what has run
 * for a healthy while starts afresh.
 */
export function keepBook(book: RestartBook, inputs: BookInputs): RestartBook {
  const { actual, recorded } = inputs;
  if (actual.status === null) return book;
  const after = new Map<InstanceId, InstanceRecord>();
  for (const [id, { state }] of instancesOf(actual)) {
    const known = book.get(id) ?? fromStatus(id, recorded, book.size === 0);
    after.set(id, follow(known, state, inputs));
  }
  return after;
}

function follow(
  known: Pick<InstanceRecord, "restarts" | "restartedAtMs"> & Partial<InstanceRecord>,
  state: InstanceState,
  { policy, nowMs, random }: BookInputs,
): InstanceRecord {
  const { restartedAtMs } = known;
  const sinceMs = known.state === state ? (known.sinceMs ?? nowMs) : nowMs;
  const healthy = state !== "FAILED" && state !== "UNASSIGNED" && state !== "RESTARTING";
  const recovered = healthy && nowMs - sinceMs >= policy.resetAfterMs;
  const restarts = recovered ? 0 : known.restarts;
  const failed = state === "FAILED";
  const dueAtMs = failed ? (known.dueAtMs ?? nowMs + backOffMs(policy, restarts + 1, random)) : null;
  return { state, sinceMs, restarts, restartedAtMs, dueAtMs };
}

/** Where there is only Strimzi's total, it counts for every instance. */
function fromStatus(
  id: InstanceId,
  recorded: KafkaConnectorStatus["autoRestart"],
  isFirst: boolean,
): Pick<InstanceRecord, "restarts" | "restartedAtMs"> {
  if (recorded === undefined || !isFirst) return { restarts: 0, restartedAtMs: null };
  const { count, tasks, lastRestartTimestamp } = recorded;
  const own = tasks?.find((task) => task.id === (id === "connector" ? -1 : id));
  const restarts = tasks === undefined ? (count ?? 0) : (own?.count ?? 0);
  if (restarts === 0) return { restarts, restartedAtMs: null };
  return { restarts, restartedAtMs: Date.parse(lastRestartTimestamp ?? "") || null };
}

/** What is to be done about the failed instances of a connector. */
export interface RestartPlan {
  /** To be restarted now. */
  readonly due: readonly InstanceId[];
  /** Whether `due` is all that has failed, so that one request does it. */
  readonly all: boolean;
  /** Failed, and restarted as often as it may be. */
  readonly exhausted: readonly InstanceId[];
  /** Runs after a restart, not long enough to be believed. */
  readonly proving: readonly InstanceId[];
  /** When to look again; null if nothing waits for its time. */
  readonly nextAtMs: number | null;
}

/** Decides from the book. */
export function planRestarts(book: RestartBook, policy: RestartPolicy, nowMs: number): RestartPlan {
  const due: InstanceId[] = [];
  const exhausted: InstanceId[] = [];
  const proving: InstanceId[] = [];
  const times: number[] = [];
  let waiting = 0;
  for (const [id, { state, dueAtMs, restarts, sinceMs, restartedAtMs }] of book) {
    if (dueAtMs !== null && isExhausted(policy, restarts)) exhausted.push(id);
    else if (dueAtMs !== null && dueAtMs <= nowMs) due.push(id);
    else if (dueAtMs !== null) {
      waiting += 1;
      times.push(dueAtMs);
    }
    if (state !== "RUNNING" || restarts === 0 || restartedAtMs === null) continue;
    const provenAtMs = sinceMs + Math.min(PROVING_MS, ceilingMs(policy, restarts));
    if (provenAtMs > nowMs) proving.push(id);
    times.push(provenAtMs > nowMs ? provenAtMs : sinceMs + policy.resetAfterMs);
  }
  const nextAtMs = times.length === 0 ? null : Math.min(...times);
  return { due, all: waiting === 0 && exhausted.length === 0, exhausted, proving, nextAtMs };
}

/** The book after these were restarted; each is due again only after its next pause, whatever is told of it meanwhile. */
export function noteRestarts(
  book: RestartBook,
  ids: readonly InstanceId[],
  { policy, nowMs, random }: Pick<BookInputs, "policy" | "nowMs" | "random">,
): RestartBook {
  const after = new Map(book);
  for (const id of ids) {
    const record = after.get(id);
    if (record === undefined) continue;
    const restarts = record.restarts + 1;
    const dueAtMs = nowMs + backOffMs(policy, restarts + 1, random);
    after.set(id, { ...record, restarts, restartedAtMs: nowMs, dueAtMs });
  }
  return after;
}

/** The book as if nothing had ever been restarted: the user has changed something, or restarted it. */
export function forgetRestarts(book: RestartBook): RestartBook {
  return new Map([...book].map(([id, record]) => [id, { ...record, restarts: 0, restartedAtMs: null, dueAtMs: null }]));
}

/** `status.autoRestart`, by Strimzi's names; undefined while there is nothing to tell. */
export function toAutoRestartStatus(book: RestartBook): KafkaConnectorStatus["autoRestart"] {
  const restarted = [...book].filter(([, { restarts }]) => restarts > 0);
  if (restarted.length === 0) return undefined;
  const lastMs = Math.max(...restarted.map(([, { restartedAtMs }]) => restartedAtMs ?? 0));
  return {
    count: Math.max(...restarted.map(([, { restarts }]) => restarts)),
    ...(lastMs === 0 ? {} : { lastRestartTimestamp: new Date(lastMs).toISOString() }),
    tasks: restarted
      .map(([id, { restarts }]) => ({ id: id === "connector" ? -1 : id, count: restarts }))
      .sort((a, b) => b.count - a.count || a.id - b.id)
      .slice(0, MAX_LISTED),
  };
}

const MAX_LISTED = 50;

function isExhausted({ maxRestarts }: RestartPolicy, restarts: number): boolean {
  return maxRestarts !== null && restarts >= maxRestarts;
}

function ceilingMs(policy: RestartPolicy, restarts: number): number {
  return backOffMs(policy, restarts + 1, () => 0);
}

/** "once", "3 times"; with a noun "1 restart", "3 restarts". */
export function restartTimes(count: number, noun?: string): string {
  if (noun !== undefined) return `${count} ${noun}${count === 1 ? "" : "s"}`;
  return count === 1 ? "once" : `${count} times`;
}
