import type { ConfigInfos, ConfigKeyInfo, ConnectorType, PluginInfo, StringMap, TargetState } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { PluginPackage } from "../plugins/plugin-package.ts";
import type {
  ConnectorOwner,
  ConnectorStart,
  ExecutorCalls,
  ExecutorNotice,
  SinkOffset,
  SinkProgress,
  TaskKey,
  TaskStart,
} from "./channel.ts";
import { machineClockMs } from "./machine-clock.ts";
import { memoryLimitMb } from "./memory-limit.ts";
import { type Isolation, place, unitOf } from "./placement.ts";
import { createQuarantine } from "./quarantine.ts";
import { isExecutorGone, type Supervisor } from "./supervisor.ts";

/** What an executor knows about a plugin. */
export type PluginEntry = PluginInfo & { readonly aliases: readonly string[] };

/** An executor has ended although something ran in it. */
export interface ExecutorLost {
  readonly reason: string;
  readonly connectors: readonly string[];
  readonly tasks: readonly TaskKey[];
  /** The only connector of that executor. */
  readonly alone: boolean;
}

/** How something ended: in order, or with its process. */
export type StopEnd = "stopped" | "killed";

/** Where connector code runs. Everything of one connector or task goes by its name; the pool knows which process it is in. */
export interface ExecutorPool {
  /** Resolves when the connector runs or is paused; rejects if it could not start, or when `signal` aborts. */
  startConnector(start: ConnectorStart, signal: AbortSignal): Promise<void>;
  /** Resolves when the task was accepted. */
  startTask(start: TaskStart, signal: AbortSignal): Promise<void>;
  /** Resolves when the instance has stopped, or its process is dead: that is the case at `timeoutMs` at the latest. Never rejects. */
  stopConnector(connector: string, timeoutMs: number): Promise<StopEnd>;
  /** As {@link stopConnector}, for a task, which commits what it can before. */
  stopTask(key: TaskKey, timeoutMs: number): Promise<StopEnd>;
  /** Pauses or resumes whatever of the connector runs here. */
  setTargetState(connector: string, targetState: TargetState, signal: AbortSignal): Promise<void>;
  taskConfigs(connector: string, signal: AbortSignal): Promise<readonly StringMap[]>;
  plugins(signal: AbortSignal): Promise<readonly PluginEntry[]>;
  /** Tells all executors which packages there are. `replaced`: what has loaded others takes no new work. */
  usePackages(packages: readonly PluginPackage[], replaced: boolean): void;
  configDef(plugin: string, version: string | null, signal: AbortSignal): Promise<readonly ConfigKeyInfo[]>;
  validate(config: Readonly<Record<string, string | null>>, signal: AbortSignal): Promise<ConfigInfos>;
  /** See {@link ExecutorCalls}. */
  alterSourceOffsets(args: ExecutorCalls["alterSourceOffsets"]["args"], signal: AbortSignal): Promise<boolean>;
  ownOffsets(owner: ConnectorOwner, signal: AbortSignal): Promise<ExecutorCalls["ownOffsets"]["result"]>;
  writeOwnOffsets(args: ExecutorCalls["writeOwnOffsets"]["args"], signal: AbortSignal): Promise<void>;
  connectorType(config: StringMap, signal: AbortSignal): Promise<ConnectorType>;
  fenceProducers(args: ExecutorCalls["fenceProducers"]["args"], signal: AbortSignal): Promise<void>;
  sinkOffsets(owner: ConnectorOwner, signal: AbortSignal): Promise<readonly SinkOffset[]>;
  sinkProgress(owner: ConnectorOwner, signal: AbortSignal): Promise<SinkProgress>;
  alterSinkOffsets(args: ExecutorCalls["alterSinkOffsets"]["args"], signal: AbortSignal): Promise<boolean>;
  /**
   * Starts so many shared executors (at most as many as there may be) before there is work for them, and resolves when they are ready; others
   * wait for work, since each costs memory. Never rejects.
   */
  warm(executors: number, signal: AbortSignal): Promise<void>;
  /** Executors may go on until then (performance.now); an instant in the past makes them stop at once. */
  renewLease(untilMs: number): void;
  /** Whether executors may still act. */
  holdsLease(): boolean;
  /** Process ids and loads, for logs and metrics. */
  executors(): readonly ExecutorLoad[];
  /** Ends all executors; resolves when they are dead. */
  close(): Promise<void>;
}

/** What runs in an executor, and what it needs. */
export interface ExecutorLoad {
  readonly pid: number;
  readonly connectors: number;
  readonly tasks: number;
  /** Resident memory, as it last told; 0 before. */
  readonly memoryBytes: number;
}

export interface PoolOptions {
  /** `memoryMaxMb`: a connector's own limit, MiB; null: the worker's holds. */
  readonly start: (onNotice: (notice: ExecutorNotice) => void, memoryMaxMb: number | null) => Supervisor;
  readonly isolation: Isolation;
  readonly maxShared: number;
  readonly idleMs: number;
  /** News of the executors; those of something that was stopped or lost are not told. */
  readonly onNotice: (notice: ExecutorNotice) => void;
  readonly onLost: (lost: ExecutorLost) => void;
  /** Monotonic milliseconds (performance.now). */
  readonly now: () => number;
  readonly log: Logger;
}

interface Executor {
  readonly id: number;
  readonly unit: string | null;
  readonly supervisor: Supervisor;
  readonly connectors: Set<string>;
  readonly tasks: Map<string, TaskKey>;
  /** Calls without an answer yet. */
  calls: number;
  /** Those of them that only ask; each knows whether it was ever under way together with another. */
  readonly questions: Set<{ accompanied: boolean }>;
  idle: NodeJS.Timeout | null;
  /** Killed because of one item that would not stop; whatever else ran in it did nothing wrong. */
  culpritKnown: boolean;
  /** Takes no new work: it has loaded a package that is another one now. */
  outdated: boolean;
  /** Takes no connector or task: one had to be placed while it answered questions, or it still may be busy with one that was given up. */
  answersOnly: boolean;
  dead: boolean;
}

const CONTROL_UNIT = "control";
/** Of an executor for one question. */
const ALONE_UNIT = "question";
/** Calls that need no connector or task to run. */
type ControlCall =
  | "plugins"
  | "configDef"
  | "validate"
  | "alterSourceOffsets"
  | "ownOffsets"
  | "writeOwnOffsets"
  | "connectorType"
  | "fenceProducers"
  | "sinkOffsets"
  | "sinkProgress"
  | "alterSinkOffsets";
/** Those that do no harm if they are asked twice. */
const QUESTIONS: ReadonlySet<ControlCall> = new Set([
  "plugins",
  "configDef",
  "validate",
  "ownOffsets",
  "connectorType",
  "fenceProducers",
  "sinkOffsets",
  "sinkProgress",
]);
/** Questions that need no client of Kafka: an executor that waits for work does as well as one for questions, and costs no other process. */
const LIGHT: ReadonlySet<ControlCall> = new Set(["plugins", "configDef", "validate", "connectorType"]);
/** An executor answers a stop within the given time; so much later it counts as hung. */
const STOP_MARGIN_MS = 500;

/** Creates an empty pool; executors are started when something needs one. */
export function createExecutorPool(options: PoolOptions): ExecutorPool {
  return new Pool(options);
}

class Pool implements ExecutorPool {
  readonly #options: PoolOptions;
  readonly #executors = new Map<number, Executor>();
  readonly #quarantine = createQuarantine();
  #lastId = 0;
  #leaseUntilMs = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  async startConnector(start: ConnectorStart, signal: AbortSignal): Promise<void> {
    const executor = this.#place(start.connector, null, memoryLimitMb(start.config));
    executor.connectors.add(start.connector);
    await this.#call(executor, "startConnector", start, signal);
  }

  async startTask(start: TaskStart, signal: AbortSignal): Promise<void> {
    const executor = this.#place(start.key.connector, start.key.task, memoryLimitMb(start.connectorConfig));
    executor.tasks.set(taskName(start.key), start.key);
    await this.#call(executor, "startTask", start, signal);
  }

  async stopConnector(connector: string, timeoutMs: number): Promise<StopEnd> {
    const executor = this.#find((candidate) => candidate.connectors.has(connector));
    if (executor === null) return "stopped";
    const what = `connector ${connector}`;
    const end = await this.#stop({ executor, what, timeoutMs, connector }, "stopConnector", { connector });
    executor.connectors.delete(connector);
    this.#retire(executor);
    return end;
  }

  async stopTask(key: TaskKey, timeoutMs: number): Promise<StopEnd> {
    const name = taskName(key);
    const executor = this.#find((candidate) => candidate.tasks.has(name));
    if (executor === null) return "stopped";
    const what = `task ${key.connector}-${key.task}`;
    const end = await this.#stop({ executor, what, timeoutMs, connector: key.connector }, "stopTask", {
      key,
      timeoutMs,
    });
    executor.tasks.delete(name);
    this.#retire(executor);
    return end;
  }

  async setTargetState(connector: string, targetState: TargetState, signal: AbortSignal): Promise<void> {
    const hosts = [...this.#executors.values()].filter((executor) => hosting(executor, connector));
    await Promise.all(hosts.map((host) => this.#call(host, "setTargetState", { connector, targetState }, signal)));
  }

  async taskConfigs(connector: string, signal: AbortSignal): Promise<readonly StringMap[]> {
    const executor = this.#find((candidate) => candidate.connectors.has(connector));
    if (executor === null) throw new ConnectError("not-found", `Connector ${connector} does not run on this worker`);
    return this.#call(executor, "taskConfigs", { connector }, signal);
  }

  usePackages(packages: readonly PluginPackage[], replaced: boolean): void {
    for (const executor of this.#executors.values()) {
      executor.supervisor.rpc.notify({ kind: "packages", packages });
      if (!replaced) continue;
      executor.outdated = true;
      this.#retire(executor);
    }
  }

  plugins(signal: AbortSignal): Promise<readonly PluginEntry[]> {
    return this.#control("plugins", null, signal);
  }

  configDef(plugin: string, version: string | null, signal: AbortSignal): Promise<readonly ConfigKeyInfo[]> {
    return this.#control("configDef", { plugin, version }, signal);
  }

  validate(config: Readonly<Record<string, string | null>>, signal: AbortSignal): Promise<ConfigInfos> {
    return this.#control("validate", { config }, signal);
  }

  alterSourceOffsets(args: ExecutorCalls["alterSourceOffsets"]["args"], signal: AbortSignal): Promise<boolean> {
    return this.#control("alterSourceOffsets", args, signal);
  }

  ownOffsets(owner: ConnectorOwner, signal: AbortSignal): Promise<ExecutorCalls["ownOffsets"]["result"]> {
    return this.#control("ownOffsets", owner, signal);
  }

  async writeOwnOffsets(args: ExecutorCalls["writeOwnOffsets"]["args"], signal: AbortSignal): Promise<void> {
    await this.#control("writeOwnOffsets", args, signal);
  }

  connectorType(config: StringMap, signal: AbortSignal): Promise<ConnectorType> {
    return this.#control("connectorType", { config }, signal);
  }

  async fenceProducers(args: ExecutorCalls["fenceProducers"]["args"], signal: AbortSignal): Promise<void> {
    await this.#control("fenceProducers", args, signal);
  }

  sinkOffsets(owner: ConnectorOwner, signal: AbortSignal): Promise<readonly SinkOffset[]> {
    return this.#control("sinkOffsets", owner, signal);
  }

  sinkProgress(owner: ConnectorOwner, signal: AbortSignal): Promise<SinkProgress> {
    return this.#control("sinkProgress", owner, signal);
  }

  alterSinkOffsets(args: ExecutorCalls["alterSinkOffsets"]["args"], signal: AbortSignal): Promise<boolean> {
    return this.#control("alterSinkOffsets", args, signal);
  }

  async warm(executors: number, signal: AbortSignal): Promise<void> {
    const { isolation, maxShared } = this.#options;
    if (isolation !== "shared" || this.#closed) return;
    const warm = [...this.#executors.values()].filter(
      ({ unit, outdated, answersOnly }) => unit === null && !outdated && !answersOnly,
    );
    while (warm.length < Math.min(executors, maxShared)) warm.push(this.#fork(null));
    await Promise.all(
      warm.map(async (executor) => {
        // One that cannot start is told by `onLost`.
        await settledOrAborted(executor.supervisor.ready, signal).catch(() => {});
        this.#retire(executor);
      }),
    );
  }

  renewLease(untilMs: number): void {
    this.#leaseUntilMs = untilMs;
    for (const executor of this.#executors.values()) this.#sendLease(executor);
  }

  holdsLease(): boolean {
    return this.#options.now() < this.#leaseUntilMs;
  }

  executors(): readonly ExecutorLoad[] {
    return [...this.#executors.values()].map(({ supervisor, connectors, tasks }) => ({
      pid: supervisor.pid,
      connectors: connectors.size,
      tasks: tasks.size,
      memoryBytes: supervisor.memoryBytes(),
    }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#executors.values()].map((executor) => this.#end(executor)));
  }

  #find(matches: (executor: Executor) => boolean): Executor | null {
    for (const executor of this.#executors.values()) if (matches(executor)) return executor;
    return null;
  }

  #place(connector: string, task: number | null, memoryMaxMb: number | null): Executor {
    const { isolation, maxShared, now } = this.#options;
    // With another limit it needs another process.
    const unit =
      memoryMaxMb === null
        ? (unitOf(isolation, connector, task) ?? this.#quarantine.unit(connector, now()))
        : `connector ${connector} within ${memoryMaxMb} MiB`;
    if (unit === null) {
      for (const executor of this.#executors.values()) {
        if (executor.unit === null && executor.questions.size > 0) executor.answersOnly = true;
      }
    }
    const usable = [...this.#executors.values()].filter(({ outdated, answersOnly }) => !outdated && !answersOnly);
    const places = usable.map(({ id, unit, tasks, connectors }) => ({
      id,
      unit,
      tasks: tasks.size,
      connectors: connectors.size,
    }));
    const id = place({ places, unit, isTask: task !== null, maxShared });
    return (id === null ? null : this.#executors.get(id)) ?? this.#fork(unit, memoryMaxMb);
  }

  #fork(unit: string | null, memoryMaxMb: number | null = null): Executor {
    if (this.#closed) throw new ConnectError("unavailable", "The worker is shutting down");
    this.#lastId += 1;
    const supervisor = this.#options.start((notice) => this.#hear(executor, notice), memoryMaxMb);
    const executor: Executor = {
      id: this.#lastId,
      unit,
      supervisor,
      connectors: new Set(),
      tasks: new Map(),
      calls: 0,
      questions: new Set(),
      idle: null,
      culpritKnown: false,
      outdated: false,
      answersOnly: false,
      dead: false,
    };
    this.#executors.set(executor.id, executor);
    supervisor.ready.then(
      () => this.#sendLease(executor),
      // Told by `gone` as well, which knows the reason.
      () => undefined,
    );
    void supervisor.gone.then((reason) => this.#bury(executor, reason));
    return executor;
  }

  #hear(executor: Executor, notice: ExecutorNotice): void {
    if (executor.dead) return;
    this.#options.onNotice(notice);
  }

  #sendLease(executor: Executor): void {
    // Answering questions needs no lease, and should go on without one.
    if (executor.unit === CONTROL_UNIT || executor.unit === ALONE_UNIT) return;
    const ttlMs = Math.max(0, this.#leaseUntilMs - this.#options.now());
    executor.supervisor.rpc.notify({ kind: "lease", ttlMs, sentAtMs: machineClockMs() });
  }

  async #call<N extends keyof ExecutorCalls>(
    executor: Executor,
    name: N,
    args: ExecutorCalls[N]["args"],
    signal: AbortSignal,
  ): Promise<ExecutorCalls[N]["result"]> {
    this.#keep(executor);
    executor.calls += 1;
    try {
      await settledOrAborted(executor.supervisor.ready, signal);
      return await executor.supervisor.rpc.call(name, args, signal);
    } finally {
      executor.calls -= 1;
    }
  }

  /** Stops one item within its time; after that the executor is killed, since the item may not outlive this call (invariant 3). */
  async #stop<N extends "stopConnector" | "stopTask">(
    item: { executor: Executor; what: string; timeoutMs: number; connector: string },
    name: N,
    args: ExecutorCalls[N]["args"],
  ): Promise<StopEnd> {
    const { executor, what, timeoutMs, connector } = item;
    const deadline = AbortSignal.timeout(timeoutMs + STOP_MARGIN_MS);
    try {
      await this.#call(executor, name, args, deadline);
      return "stopped";
    } catch (error) {
      if (!isExecutorGone(error)) {
        const late = deadline.aborted || isTimeout(error);
        this.#options.log.warn({ error, item: what }, late ? "did not stop in time" : "stopped with an error");
        // A connector that only complained is gone all the same.
        if (!late && name === "stopConnector") return "stopped";
        executor.culpritKnown = true;
        this.#quarantine.crashed([connector], this.#options.now());
        executor.supervisor.kill(late ? `${what} did not stop within ${timeoutMs} ms` : `${what} could not be stopped`);
      }
      await executor.supervisor.gone;
      return "killed";
    }
  }

  /**
   * Plugin code that only answers questions runs where no task can suffer from it. If the process ends under several questions, each is asked
   * once more, alone: all but one had nothing to do with it; so is one whose executor had a lease, which may have run out.
   */
  async #control<N extends ControlCall>(
    name: N,
    args: ExecutorCalls[N]["args"],
    signal: AbortSignal,
  ): Promise<ExecutorCalls[N]["result"]> {
    const executor = this.#answering(name) ?? this.#fork(CONTROL_UNIT);
    const question = { accompanied: executor.questions.size > 0 };
    for (const other of executor.questions) other.accompanied = true;
    executor.questions.add(question);
    try {
      return await this.#call(executor, name, args, signal);
    } catch (error) {
      if (!isExecutorGone(error)) {
        executor.answersOnly ||= signal.aborted;
        throw error;
      }
      const reason = await executor.supervisor.gone;
      const blameless = question.accompanied || (executor.unit === null && !this.holdsLease());
      if (blameless && QUESTIONS.has(name)) return await this.#askAlone(name, args, signal);
      throw new ConnectError("internal", `The plugin's process has ended: ${reason}`, { cause: error });
    } finally {
      executor.questions.delete(question);
      this.#retire(executor);
    }
  }

  /** An executor for questions, or one for work in which nothing runs; that one ends with its lease, so that it is not to change anything. */
  #answering(name: ControlCall): Executor | null {
    const free = [...this.#executors.values()].filter(
      ({ outdated, supervisor }) => !outdated && !supervisor.isBlocked(),
    );
    const forQuestions = free.find(
      ({ unit, answersOnly }) => unit === CONTROL_UNIT || (answersOnly && QUESTIONS.has(name)),
    );
    if (forQuestions !== undefined || !LIGHT.has(name)) return forQuestions ?? null;
    return (
      free.find(({ unit, tasks, connectors }) => unit === null && tasks.size === 0 && connectors.size === 0) ?? null
    );
  }

  async #askAlone<N extends ControlCall>(
    name: N,
    args: ExecutorCalls[N]["args"],
    signal: AbortSignal,
  ): Promise<ExecutorCalls[N]["result"]> {
    const executor = this.#fork(ALONE_UNIT);
    try {
      return await this.#call(executor, name, args, signal);
    } catch (error) {
      if (!isExecutorGone(error)) throw error;
      const reason = await executor.supervisor.gone;
      throw new ConnectError("internal", `The plugin's process has ended: ${reason}`, { cause: error });
    } finally {
      if (!executor.dead) void this.#end(executor);
    }
  }

  #bury(executor: Executor, reason: string): void {
    executor.dead = true;
    this.#keep(executor);
    this.#executors.delete(executor.id);
    const tasks = [...executor.tasks.values()];
    // Without a lease they all end by themselves: nobody is to blame.
    const leaseOver = !this.holdsLease();
    const names = new Set([...executor.connectors, ...tasks.map((key) => key.connector)]);
    const lost = { reason, connectors: [...executor.connectors], tasks, alone: names.size === 1 && !leaseOver };
    const fields = { executor: executor.supervisor.pid, reason, connectors: lost.connectors, tasks: tasks.length };
    if (names.size === 0) {
      this.#options.log.info(fields, "executor ended");
      return;
    }
    if (this.#closed) return;
    this.#options.log.error(fields, "executor lost");
    if (!executor.culpritKnown && !leaseOver) this.#quarantine.crashed([...names], this.#options.now());
    this.#options.onLost(lost);
  }

  #keep(executor: Executor): void {
    if (executor.idle !== null) clearTimeout(executor.idle);
    executor.idle = null;
  }

  #retire(executor: Executor): void {
    if (executor.dead || executor.calls > 0 || executor.connectors.size > 0 || executor.tasks.size > 0) return;
    this.#keep(executor);
    executor.idle = setTimeout(() => void this.#end(executor), this.#options.idleMs);
    executor.idle.unref();
  }

  #end(executor: Executor): Promise<void> {
    this.#keep(executor);
    this.#executors.delete(executor.id);
    return executor.supervisor.close();
  }
}

function hosting(executor: Executor, connector: string): boolean {
  if (executor.connectors.has(connector)) return true;
  for (const key of executor.tasks.values()) if (key.connector === connector) return true;
  return false;
}

/** The promise, or the signal's reason if that comes first. */
function settledOrAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  const aborted = Promise.withResolvers<never>();
  const giveUp = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", giveUp, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener("abort", giveUp));
}

function isTimeout(error: unknown): boolean {
  return error instanceof ConnectError && error.code === "timeout";
}

function taskName(key: TaskKey): string {
  return `${key.connector}-${key.task}`;
}
