import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { BackOff } from "../back-off.ts";
import { withDeadline } from "../deadline.ts";
import type { ObjectKey } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { withReconcileId } from "../reconcile-id.ts";
import type { ControllerMetrics } from "./metrics.ts";
import type { Outcome } from "./outcome.ts";
import { createWorkQueue, type Work, type WorkResult } from "./queue.ts";
import { createSlots } from "./slot.ts";

/** Brings one object of one kind to its wanted state. Level-based: reads the world, acts, writes status if it changed. */
export type Reconcile = (key: ObjectKey, signal: AbortSignal) => Promise<Outcome>;

/** Runs a reconcile function over a keyed queue. */
export interface Controller {
  /** Asks for a reconcile of `key`; several requests before it starts become one. */
  enqueue(key: ObjectKey): void;
  /** Works until `signal` aborts; resolves when the last reconcile in flight has ended. */
  run(signal: AbortSignal): Promise<void>;
}

/** What a controller is made of. */
export interface ControllerOptions {
  /** Name in logs and metrics: `cluster`, `connector`. */
  readonly name: string;
  readonly reconcile: Reconcile;
  readonly log: Logger;
  /** Reconciles in flight at a time; those that wait for somebody else (`withoutSlot`) do not count. */
  readonly concurrency: number;
  /** Keys of one group, for instance of one Connect cluster, share `groupConcurrency`; null is a group of its own. */
  readonly groupOf?: (key: ObjectKey) => string | null;
  /** Reconciles in flight at a time in one group. */
  readonly groupConcurrency?: number;
  /** Deadline of one reconcile; its signal aborts then. */
  readonly timeoutMs?: number;
  readonly backOff?: BackOff;
  /** Reconciles all of `keys` at the start and again every `everyMs`, spread over that time. */
  readonly resync?: { readonly everyMs: number; readonly keys: () => Iterable<ObjectKey> };
  readonly metrics?: ControllerMetrics;
  /** Monotonic time in milliseconds. */
  readonly now?: () => number;
  readonly random?: () => number;
}

const BACK_OFF: BackOff = { baseMs: 200, maxMs: 60_000 };
const TIMEOUT_MS = 60_000;
/** The longest that a Node timer can wait is about 24 days. */
const LONGEST_TIMER_MS = 60 * 60 * 1000;

/**
 * Guarantees: one reconcile per key at a time; a failed one is repeated with jittered back-off until it succeeds; a request
 * that comes during a reconcile leads to another one after it.
 */
export function createController(options: ControllerOptions): Controller {
  const { name, reconcile, concurrency, groupOf, groupConcurrency, metrics, resync } = options;
  const { now = () => performance.now(), random = Math.random, backOff = BACK_OFF, timeoutMs = TIMEOUT_MS } = options;
  const log = options.log.child({ controller: name });
  const queue = createWorkQueue({ backOff, random, groupOf, groupLimit: groupConcurrency });
  const inFlight = new Set<Promise<void>>();
  let wake: (() => void) | null = null;
  const slots = createSlots(() => wake?.());
  metrics?.limit(concurrency);

  async function attempt({ key, failures }: Work, signal: AbortSignal): Promise<WorkResult> {
    try {
      return await withDeadline(timeoutMs, (bounded) => reconcile(key, bounded), signal);
    } catch (error) {
      if (signal.aborted) return { kind: "settled" };
      const level = isKubeError(error, "conflict") ? "debug" : "warn";
      log[level]({ ...key, err: error, failures: failures + 1 }, "reconcile failed");
      return { kind: "failed" };
    }
  }

  async function runOne(work: Work, signal: AbortSignal): Promise<void> {
    const startedAt = now();
    metrics?.started(startedAt - work.dueAtMs, work.key);
    const result = await slots.run(() => withReconcileId(randomUUID(), () => attempt(work, signal)));
    metrics?.ended(result.kind, now() - startedAt, work.key);
    queue.done(work, result, now());
  }

  function startDueWork(signal: AbortSignal): void {
    while (!signal.aborted && slots.atWork() < concurrency) {
      const work = queue.take(now());
      if (work === null) break;
      const running = runOne(work, signal).finally(() => {
        inFlight.delete(running);
        wake?.();
      });
      inFlight.add(running);
    }
    metrics?.depth(queue.depth());
  }

  /** Resolves when there may be something to do: a request, a free worker, or a key whose time has come. */
  async function somethingHappens(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    signal.addEventListener("abort", wake, { once: true });
    const dueAtMs = slots.atWork() < concurrency ? queue.nextDueAtMs() : null;
    const delayMs = dueAtMs === null ? LONGEST_TIMER_MS : Math.min(Math.max(dueAtMs - now(), 0), LONGEST_TIMER_MS);
    const timer = setTimeout(wake, Math.ceil(delayMs));
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", wake);
    wake = null;
  }

  function enqueueAll(spreadMs: number): void {
    for (const key of resync?.keys() ?? []) {
      if (spreadMs > 0) metrics?.resynced(key);
      queue.add(key, now() + random() * spreadMs);
    }
    wake?.();
  }

  return {
    enqueue(key) {
      metrics?.added();
      queue.add(key, now());
      wake?.();
    },
    async run(signal) {
      enqueueAll(0);
      const everyMs = resync?.everyMs ?? 0;
      const timer = everyMs > 0 ? setInterval(() => enqueueAll(everyMs), everyMs) : undefined;
      while (!signal.aborted) {
        startDueWork(signal);
        if (!signal.aborted) await somethingHappens(signal);
      }
      clearInterval(timer);
      await Promise.all(inFlight);
    },
  };
}
