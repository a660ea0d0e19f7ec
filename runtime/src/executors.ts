import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { EXECUTOR_MEMORY_KEY } from "@headrace/contract";
import type { LoadedConfig } from "./config.ts";
import { ConnectError } from "./errors.ts";
import type { ExecutorNotice, ExecutorSetup, WorkerCalls } from "./executor/channel.ts";
import { startWithWrites } from "./executor/offset-writes.ts";
import { createExecutorPool, type ExecutorLost, type ExecutorPool } from "./executor/pool.ts";
import { probePackage } from "./executor/probe.ts";
import type { Handlers } from "./executor/rpc.ts";
import { startExecutor } from "./executor/supervisor.ts";
import type { Logger } from "./log.ts";
import { createInventory, type Inventory, type InventoryChange } from "./plugins/inventory.ts";
import type { PluginPackage } from "./plugins/plugin-package.ts";

/** `main.ts`, or `main.js` once compiled. */
const EXECUTOR_MAIN = fileURLToPath(new URL(`./executor/main${import.meta.url.slice(-3)}`, import.meta.url));

/**
 * Of an executor's V8, MiB of each half of the young memory. V8 takes 32 by itself; what that saves in collections is lost in caches. With 8 a
 * sink's batch and a source's records in flight outlive it, and are copied into the old memory, which then grows.
 */
const YOUNG_MEMORY = "--max-semi-space-size=16";

export interface WorkerExecutorsOptions extends Pick<LoadedConfig, "config" | "properties"> {
  readonly workerId: string;
  /** Asked for at each start of an executor, which is set up when it is known. */
  readonly clusterId: () => string | Promise<string>;
  readonly packages: () => readonly PluginPackage[];
  /** Node's options for executors, so that they find the same modules. */
  readonly execArgv: readonly string[];
  readonly handlers: Handlers<WorkerCalls>;
  readonly onNotice: (notice: ExecutorNotice) => void;
  readonly onLost: (lost: ExecutorLost) => void;
  readonly log: Logger;
}

/** The pool of a worker's executors, set up as its configuration says. */
export function createWorkerExecutors(options: WorkerExecutorsOptions): ExecutorPool {
  const { config, properties, workerId, log } = options;
  const handlers: Handlers<WorkerCalls> = {
    ...options.handlers,
    writeOffsets(args, signal) {
      // Invariant 3: a worker that was stopped for long still finds what its dead executors had asked for; successors have gone on since.
      if (!pool.holdsLease()) throw new ConnectError("unavailable", "The lease has run out: offsets are not stored");
      return options.handlers.writeOffsets(args, signal);
    },
  };
  const setup = async (): Promise<ExecutorSetup> => {
    const kafkaClusterId = await options.clusterId();
    return { worker: properties, workerId, kafkaClusterId };
  };
  const workerMaxMb = config[EXECUTOR_MEMORY_KEY];
  const pool = createExecutorPool({
    start(onNotice, ownMaxMb) {
      const memoryMaxMb = ownMaxMb ?? workerMaxMb;
      const startWith = (given: Handlers<WorkerCalls>) =>
        startExecutor({
          script: EXECUTOR_MAIN,
          execArgv: [...options.execArgv, YOUNG_MEMORY],
          setup: setup(),
          handlers: given,
          onNotice,
          blockedTimeoutMs: config["headrace.task.blocked.timeout.ms"],
          memoryMaxBytes: memoryMaxMb === null ? null : memoryMaxMb * 1024 * 1024,
          log,
        });
      const supervisor = startWithWrites(handlers, startWith, { log });
      // From now on the pool tells it of changes: no list can come after a newer one.
      supervisor.rpc.notify({ kind: "packages", packages: options.packages() });
      return supervisor;
    },
    isolation: config["headrace.isolation"],
    maxShared: config["headrace.executors.max"] ?? availableParallelism(),
    idleMs: config["headrace.executor.idle.ms"],
    onNotice: options.onNotice,
    onLost: options.onLost,
    now: () => performance.now(),
    log,
  });
  return pool;
}

/** The packages of the worker's `plugin.path`, each tried in a process of its own. */
export function createWorkerInventory(
  options: Pick<WorkerExecutorsOptions, "config" | "properties" | "execArgv" | "log"> & {
    readonly onChange: (change: InventoryChange) => void;
  },
): Inventory {
  const { config, properties, execArgv, log, onChange } = options;
  const unavailable = () => {
    throw new Error("nothing runs in a probe");
  };
  const start = () =>
    startExecutor({
      script: EXECUTOR_MAIN,
      execArgv: [...execArgv, YOUNG_MEMORY],
      memoryMaxBytes: null,
      setup: { worker: properties, workerId: "probe", kafkaClusterId: "" },
      handlers: {
        readOffsets: unavailable,
        offsetKeys: unavailable,
        writeOffsets: unavailable,
        fenceZombies: unavailable,
        isCurrentTask: unavailable,
      },
      onNotice: (notice) => {
        if (notice.kind === "log") log[notice.level](notice.fields, notice.message);
      },
      blockedTimeoutMs: config["headrace.task.blocked.timeout.ms"],
      log,
    });
  return createInventory({
    paths: (config["plugin.path"] ?? "").split(",").flatMap((path) => (path.trim() === "" ? [] : [path.trim()])),
    probe: (manifest, signal) => probePackage(start, manifest, config["headrace.plugin.load.timeout.ms"], signal),
    onChange,
    intervalMs: config["headrace.plugin.scan.interval.ms"],
    now: () => performance.now(),
    log,
  });
}
