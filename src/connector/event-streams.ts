import type { Logger } from "pino";
import { clusterOf, readyWorkers } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { ObjectKey, Store } from "../kube/client.ts";
import type { Pod } from "../kube/resources.ts";
import type { ConnectClient } from "../worker/connect-client.ts";
import { type ClusterView, createEventStream, type EventStream, type ViewChange } from "./event-stream.ts";

export interface EventStreamsOptions {
  readonly connect: ConnectClient;
  readonly connects: Store<KafkaConnect>;
  readonly pods: Store<Pod>;
  readonly log: Logger;
  readonly changed: (cluster: ObjectKey, change: ViewChange) => void;
  readonly retryMs?: number;
}

/** The event streams of all clusters: one for each KafkaConnect that is there. */
export interface EventStreams {
  view(cluster: ObjectKey): ClusterView;
  /** Somebody has just changed something there: where workers are asked for news, this is the time. */
  wake(cluster: ObjectKey): void;
  /** Follows all clusters until `signal` aborts, new ones as they come. */
  run(signal: AbortSignal): Promise<void>;
}

interface Running {
  readonly stream: EventStream;
  readonly stop: () => void;
  readonly ended: Promise<void>;
}

const UNKNOWN: ClusterView = { kind: "connecting" };

export function createEventStreams(options: EventStreamsOptions): EventStreams {
  const { connect, connects, pods, log, changed, retryMs } = options;
  const running = new Map<string, Running>();

  function start(cluster: ObjectKey, signal: AbortSignal): void {
    const stream = createEventStream({
      cluster,
      connect,
      log,
      workers: () => readyWorkers(pods, cluster),
      changed: (change) => changed(cluster, change),
      ...(retryMs === undefined ? {} : { retryMs }),
    });
    const own = new AbortController();
    const stop = () => own.abort();
    signal.addEventListener("abort", stop, { once: true });
    const ended = stream.run(own.signal).finally(() => signal.removeEventListener("abort", stop));
    running.set(idOf(cluster), { stream, stop, ended });
  }

  function follow({ metadata }: KafkaConnect, present: boolean, signal: AbortSignal): void {
    const cluster = { namespace: metadata.namespace ?? "", name: metadata.name };
    const id = idOf(cluster);
    const current = running.get(id);
    if (present && current === undefined) start(cluster, signal);
    if (present || current === undefined) return;
    running.delete(id);
    current.stop();
  }

  return {
    view: (cluster) => running.get(idOf(cluster))?.stream.view() ?? UNKNOWN,
    wake: (cluster) => running.get(idOf(cluster))?.stream.wake(),
    async run(signal) {
      if (signal.aborted) return;
      const subscriptions = [
        connects.onChange(({ previous, current }) => {
          const changedOne = current ?? previous;
          if (changedOne !== undefined) follow(changedOne, current !== undefined, signal);
        }),
        pods.onChange(({ previous, current }) => {
          const changedPod = current ?? previous;
          const cluster = changedPod === undefined ? undefined : clusterOf(changedPod);
          if (cluster !== undefined) running.get(idOf(cluster))?.stream.wake();
        }),
      ];
      for (const resource of connects.list()) follow(resource, true, signal);
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      for (const unsubscribe of subscriptions) unsubscribe();
      await Promise.all([...running.values()].map(({ ended }) => ended));
    },
  };
}

function idOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
