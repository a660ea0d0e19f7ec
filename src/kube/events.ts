import { createHash } from "node:crypto";
import type { Logger } from "pino";
import type { EventRecorder, KubeClient, KubeObject } from "./client.ts";
import { isKubeError } from "./errors.ts";
import { type Event, Events } from "./resources.ts";

/** A recorder and the loop that writes what was recorded. */
export interface RunningEventRecorder extends EventRecorder {
  /** Writes until `signal` aborts, then what is left, within two seconds. */
  run(signal: AbortSignal): Promise<void>;
}

/** What events are written with. */
export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** `source.component` and `reportingComponent`. */
  readonly component: string;
  /** This process among several, `reportingInstance`. */
  readonly instance: string;
  readonly log: Logger;
  readonly now?: () => number;
}

/** The same thing told about the same object, however often. */
interface Series {
  readonly about: KubeObject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly firstAtMs: number;
  readonly name: string;
  lastAtMs: number;
  count: number;
  /** Whether the event exists in the API as far as we know. */
  written: boolean;
}

/** Repeats are told apart for so long; then the same thing becomes a new event, as the old one expires after an hour. */
const SERIES_MS = 30 * 60_000;
const MAX_SERIES = 2_000;
const MAX_PENDING = 500;
const LAST_WRITES_MS = 2_000;
/** The API's limits (`core/v1` validation). */
const MAX_MESSAGE = 1024;

/**
 * Events by `core/v1`, which every tool shows. Guarantees: bounded memory; under pressure, repeats are merged and the newest
 * new events are dropped, with a warning in the log. Events are best effort: a write that fails is not repeated.
 */
export function createEventRecorder(options: EventRecorderOptions): RunningEventRecorder {
  const { client, component, instance, log, now = Date.now } = options;
  const series = new Map<string, Series>();
  const pending = new Set<Series>();
  let wake: (() => void) | null = null;

  function find(about: KubeObject, event: Parameters<EventRecorder["record"]>[1], nowMs: number): Series {
    const { type, reason } = event;
    const message = event.message.length > MAX_MESSAGE ? `${event.message.slice(0, MAX_MESSAGE - 1)}…` : event.message;
    const { uid, namespace, name } = about.metadata;
    const id = JSON.stringify([uid ?? `${about.kind}/${namespace}/${name}`, type, reason, message]);
    const known = series.get(id);
    if (known !== undefined && nowMs - known.firstAtMs < SERIES_MS) {
      known.count += 1;
      known.lastAtMs = nowMs;
      return known;
    }
    const hash = createHash("sha256").update(`${id}${nowMs}${instance}`).digest("hex").slice(0, 16);
    const entry: Series = {
      about,
      type,
      reason,
      message,
      firstAtMs: nowMs,
      lastAtMs: nowMs,
      count: 1,
      written: false,
      name: `${name.slice(0, 230)}.${hash}`,
    };
    series.delete(id);
    series.set(id, entry);
    const [oldest] = series.keys();
    if (series.size > MAX_SERIES && oldest !== undefined) series.delete(oldest);
    return entry;
  }

  async function write(entry: Series, signal: AbortSignal): Promise<void> {
    const key = { namespace: entry.about.metadata.namespace ?? "default", name: entry.name };
    try {
      if (entry.written) {
        const patch = { count: entry.count, lastTimestamp: seconds(entry.lastAtMs) };
        await client.patch(Events, key, patch, signal);
        return;
      }
      await client.create(Events, toEvent(entry, key.namespace), signal);
      entry.written = true;
    } catch (error) {
      if (isKubeError(error, "not-found")) entry.written = false;
      if (!signal.aborted)
        log.warn({ err: error, reason: entry.reason, about: entry.about.metadata.name }, "event not written");
    }
  }

  function toEvent(entry: Series, namespace: string): Event {
    const { about, type, reason, message } = entry;
    const { metadata } = about;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: entry.name, namespace },
      involvedObject: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
        ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
      },
      type,
      reason,
      message,
      count: entry.count,
      firstTimestamp: seconds(entry.firstAtMs),
      lastTimestamp: seconds(entry.lastAtMs),
      source: { component },
      reportingComponent: component,
      reportingInstance: instance.slice(0, 128),
    };
  }

  async function writePending(signal: AbortSignal): Promise<void> {
    for (const entry of pending) {
      if (signal.aborted) return;
      pending.delete(entry);
      await write(entry, signal);
    }
  }

  /** Resolves when something was recorded, or `signal` aborts. */
  async function somethingHappens(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = () => resolve();
    signal.addEventListener("abort", wake, { once: true });
    if (!signal.aborted && pending.size === 0) await promise;
    signal.removeEventListener("abort", wake);
    wake = null;
  }

  return {
    record(about, event) {
      try {
        const entry = find(about, event, now());
        if (pending.size >= MAX_PENDING && !pending.has(entry)) {
          log.warn({ reason: event.reason, about: about.metadata.name }, "event dropped");
          return;
        }
        pending.add(entry);
        wake?.();
      } catch (error) {
        log.error({ err: error, reason: event.reason }, "event not recorded");
      }
    },
    async run(signal) {
      const writing = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      const stop = () => {
        timer = setTimeout(() => writing.abort(), LAST_WRITES_MS);
      };
      signal.addEventListener("abort", stop, { once: true });
      while (!signal.aborted) {
        await writePending(writing.signal);
        await somethingHappens(signal);
      }
      await writePending(writing.signal);
      clearTimeout(timer);
    },
  };
}

/** `metav1.Time` has seconds. */
function seconds(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z");
}
