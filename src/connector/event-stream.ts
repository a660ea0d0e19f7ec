import { setTimeout as sleep } from "node:timers/promises";
import type { StreamEvent } from "@headrace/contract";
import type { Logger } from "pino";
import type { ObjectKey } from "../kube/client.ts";
import { type ConnectClient, ConnectRestError, isConnectError, type Worker } from "../worker/connect-client.ts";
import { type ConnectorMap, foldEvent } from "./cluster-view.ts";
import { snapshotStream } from "./snapshot-stream.ts";

/** What the operator knows of a cluster's connectors. */
export type ClusterView =
  /** `worker` tells, and everything up to about now is known. */
  | { readonly kind: "live"; readonly worker: Worker; readonly connectors: ConnectorMap }
  /** The first worker has not been tried to the end yet. */
  | { readonly kind: "connecting" }
  /** No worker tells, since `sinceMs` (epoch ms); `reason` is a sentence without its full stop. `asked`: there were ready workers. */
  | { readonly kind: "lost"; readonly reason: string; readonly sinceMs: number; readonly asked: boolean };

/** A change of the view: these connectors, or all of the cluster. */
export type ViewChange = readonly string[] | "all";

export interface EventStreamOptions {
  readonly cluster: ObjectKey;
  readonly connect: ConnectClient;
  readonly log: Logger;
  /** Ready workers at this moment. */
  readonly workers: () => readonly Worker[];
  readonly changed: (change: ViewChange) => void;
  /** Pause after a stream that did not last, or when nobody answers. */
  readonly retryMs?: number;
  /** Wall clock, epoch ms. */
  readonly now?: () => number;
}

/** One stream of events of one cluster. */
export interface EventStream {
  view(): ClusterView;
  /** The workers may be others now, or somebody has changed something: do not wait any longer. */
  wake(): void;
  /** Follows the cluster until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Keeps one stream open to some ready worker of a cluster.
 *
 * Guarantees: when it breaks or falls silent, the other ready workers are tried at once, and the view stays as it was until all
 * have been tried in vain. A new stream starts with a snapshot, which replaces the view; only differences are reported. A worker
 * that is in no group, since it has just started or has lost Kafka, is not listened to: what it knows may be long past.
 * JVM workers have no such stream; they are asked again and again.
 */
export function createEventStream(options: EventStreamOptions): EventStream {
  const { cluster, connect, workers, changed, retryMs = 1_000, now = Date.now } = options;
  const log = options.log.child({ ...cluster });
  let view: ClusterView = { kind: "connecting" };
  let lastIp = "";
  let heardAtMs = now();
  let rouse = new AbortController();

  function lose(reason: string, asked: boolean): void {
    if (view.kind === "lost" && view.reason === reason) return;
    view = { kind: "lost", reason, sinceMs: heardAtMs, asked };
    changed("all");
  }

  async function* eventsOf(worker: Worker, signal: AbortSignal): AsyncGenerator<StreamEvent> {
    try {
      yield* whileInGroup(connect.events(worker, signal));
    } catch (error) {
      if (!isConnectError(error, "not-found")) throw error;
      yield* snapshotStream({ connect, worker, pause }, signal);
    }
  }

  /** Follows one worker to the end of its stream. `told`: there was a snapshot. Never throws. */
  async function follow(worker: Worker, signal: AbortSignal): Promise<{ told: boolean; reason: string }> {
    lastIp = worker.ip;
    let told = false;
    try {
      for await (const event of eventsOf(worker, signal)) {
        if (!told && event.kind !== "snapshot") continue;
        heardAtMs = now();
        if (!told) log.info({ worker: worker.ip }, "event stream open");
        told = true;
        const before = view;
        const folded = foldEvent(before.kind === "live" ? before.connectors : new Map(), event);
        view = { kind: "live", worker, connectors: folded.connectors };
        if (before.kind !== "live") changed("all");
        else if (folded.changed.length > 0) changed(folded.changed);
      }
      return { told, reason: `worker ${worker.ip} ended the event stream` };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const known = view.kind === "lost" && view.reason === reason;
      if (!signal.aborted) log[known ? "debug" : "warn"]({ worker: worker.ip, err: error }, "event stream broke");
      return { told, reason };
    }
  }

  /** Tries ready workers until one has told something; the one that was followed last comes last. */
  async function followAny(signal: AbortSignal): Promise<void> {
    const ready = workers();
    let reason = "no worker is ready";
    for (const worker of ready.toSorted((a, b) => Number(a.ip === lastIp) - Number(b.ip === lastIp))) {
      const ended = await follow(worker, signal);
      if (ended.told || signal.aborted) return;
      reason = ended.reason;
    }
    lose(reason, ready.length > 0);
  }

  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(ms, undefined, { signal: AbortSignal.any([signal, rouse.signal]) }).catch(() => undefined);
    rouse = new AbortController();
  }

  return {
    view: () => view,
    wake: () => rouse.abort(),
    async run(signal) {
      while (!signal.aborted) {
        const startedAt = performance.now();
        await followAny(signal);
        if (!signal.aborted && performance.now() - startedAt < retryMs) await pause(retryMs, signal);
      }
    },
  };
}

/** The events of a worker as long as it is in its group, none of them before it has said that it is; then throws. */
async function* whileInGroup(events: AsyncIterable<StreamEvent>): AsyncGenerator<StreamEvent> {
  let held: StreamEvent[] | null = [];
  for await (const event of events) {
    if (event.kind === "group" && event.group.leaderUrl === null) {
      throw new ConnectRestError("unreachable", "the workers are in no group, as while Kafka cannot be reached");
    }
    held?.push(event);
    if (held !== null && event.kind !== "group") continue;
    yield* held ?? [event];
    held = null;
  }
}
