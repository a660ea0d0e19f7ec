import type { Logger } from "pino";
import { isReady, podsOf } from "../cluster-pods.ts";
import type { ObjectKey, Store } from "../kube/client.ts";
import type { Pod } from "../kube/resources.ts";
import { type ConnectClient, isConnectError } from "../worker/connect-client.ts";
import { containerName } from "./container.ts";
import { type LogLevels, planLogLevels } from "./log-levels.ts";

export interface LoggingDeps {
  readonly connect: ConnectClient;
  readonly pods: Store<Pod>;
  readonly log: Logger;
}

/** What a KafkaConnect says about its workers' loggers. */
export interface WantedLogging {
  /** null: nothing; levels that somebody else has set stay. */
  readonly levels: LogLevels | null;
  /** Level of `root` if nothing is said about it. */
  readonly start: string;
}

/** Brings workers' loggers to the wanted levels while they run. */
export interface Logging {
  /** Answers false if a worker could not be told and has to be told again. A worker that started anew is told, too. */
  apply(cluster: ObjectKey, wanted: WantedLogging | null, signal: AbortSignal): Promise<boolean>;
}

/** What was told to whom is remembered, so that levels set by hand last until the next change or restart. */
export function createLogging({ connect, pods, log }: LoggingDeps): Logging {
  const told = new Map<string, string>();

  async function tell(pod: Pod, cluster: ObjectKey, { levels, start }: WantedLogging, signal: AbortSignal) {
    const run = runOf(pod, containerName(cluster.name));
    const ip = pod.status?.podIP;
    const text = levels === null ? "" : JSON.stringify([start, ...levels]);
    if (ip === undefined || (told.get(run) ?? "") === text) return true;
    try {
      const worker = { cluster, ip };
      const current = await connect.loggers(worker, signal);
      for (const { logger, level } of planLogLevels(current, levels ?? new Map(), start)) {
        await connect.setLogLevel(worker, logger, level, signal);
      }
    } catch (error) {
      if (!isConnectError(error)) throw error;
      log.warn({ ...cluster, pod: pod.metadata.name, err: error }, "log levels not set");
      return false;
    }
    told.set(run, text);
    return true;
  }

  return {
    async apply(cluster, wanted, signal) {
      if (wanted === null) return true;
      const present = new Set(pods.list().map(({ metadata }) => metadata.uid ?? ""));
      for (const run of told.keys()) if (!present.has(run.split("/")[0] ?? "")) told.delete(run);
      const ready = podsOf(pods, cluster).filter(isReady);
      const answers = await Promise.all(ready.map((pod) => tell(pod, cluster, wanted, signal)));
      return answers.every((done) => done);
    },
  };
}

/** One run of the worker's process: a new one begins with the levels of its configuration. */
function runOf({ metadata, status }: Pod, container: string): string {
  const state = status?.containerStatuses?.find(({ name }) => name === container);
  return `${metadata.uid}/${state?.containerID ?? ""}`;
}
