import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type JvmWorker, startJvmWorker } from "#dev/kafka.ts";
import { groupProperties, startWorker } from "#support/worker.ts";
import { COMPILED_WORKER } from "./compiled.ts";

/** Who is measured: a worker, or a plain client loop, which its scenario starts. */
export type SideName = "headrace" | "jvm" | "jvm-tuned" | "client";

/** A worker that runs. */
export interface RunningWorker {
  readonly url: string;
  readonly workerId: string;
  readonly pid: number;
  /** From the start of its process to the first answer of its REST API, ms. */
  readonly readyMs: number;
  /** SIGTERM, and SIGKILL if it has not ended after 30 s, as a pod's end; resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGKILL to it and all its processes; resolves when it has ended. */
  kill(): Promise<void>;
}

/**
 * Producers of the tuned JVM worker as FACTS for its best figures: large batches, a short linger, several requests in flight, and large
 * polls. `connector.client.config.override.policy` is not needed, since these are the worker's own.
 */
const TUNED = {
  "producer.batch.size": "1048576",
  "producer.linger.ms": "5",
  "producer.buffer.memory": "134217728",
  "producer.max.request.size": "2097152",
  "producer.max.in.flight.requests.per.connection": "5",
  "producer.enable.idempotence": "true",
} as const;

/** What Kubernetes gives a pod by default; a JVM worker is stopped with the same (dev/kafka.ts). */
const GRACE_MS = 30_000;

/** Adds to a file source's configuration what the tuned JVM worker needs to make use of its settings. */
export const TUNED_SOURCE = { "batch.size": "10000" } as const;

/** As Connect's defaults; tests have more. */
const PATIENCE = { "session.timeout.ms": "10000", "task.shutdown.graceful.timeout.ms": "5000" } as const;

/** Starts a worker of one side, compiled if it is ours; `group` may have others. */
export async function startSide(
  side: SideName,
  options: {
    readonly dir: string;
    readonly bootstrap: string;
    readonly group: string;
    readonly properties?: Readonly<Record<string, string>>;
    /** Of a JVM worker. */
    readonly heap?: string;
    /** Of its REST API, which is its name in the group; default: a free one. */
    readonly port?: number;
  },
): Promise<RunningWorker> {
  if (side === "client") throw new Error("a client loop has no worker");
  const dir = join(options.dir, options.group);
  mkdirSync(dir, { recursive: true });
  const properties = { ...groupProperties(options.bootstrap, options.group), ...PATIENCE, ...options.properties };
  const port = options.port === undefined ? {} : { port: options.port };
  const started = performance.now();
  if (side === "headrace") {
    const { url, workerId, process } = await startWorker({ dir, properties, program: COMPILED_WORKER, ...port });
    return {
      url,
      workerId,
      pid: process.pid,
      readyMs: performance.now() - started,
      stop: async () => void (await process.stop(GRACE_MS)),
      kill: async () => void (await process.killGroup()),
    };
  }
  const worker: JvmWorker = await startJvmWorker({
    dir,
    properties: { ...properties, ...(side === "jvm-tuned" && TUNED) },
    heap: options.heap ?? "2g",
    quickStart: false,
    ...port,
  });
  const { url, process, stop, kill } = worker;
  const readyMs = performance.now() - started;
  return { url, workerId: new URL(url).host, pid: process.pid, readyMs, stop, kill };
}
