import type { StringMap } from "@headrace/contract";
import type { ProviderEnvironment } from "../config-providers/config-provider.ts";
import { type ConfigResolver, createConfigResolver, forConnectors } from "../config-providers/resolver.ts";
import { ConnectError } from "../errors.ts";
import { pluginNames } from "../plugins/plugin-names.ts";
import type { PluginStore } from "../plugins/plugin-store.ts";
import type { PluginRegistry } from "../plugins/registry.ts";
import { configDefOf, validateConfig } from "../plugins/validate.ts";
import { LeaseLost, startTask, type TaskBody, type TaskRunner } from "../task/runner.ts";
import { formatTrace } from "../trace.ts";
import type {
  ConnectorStart,
  ExecutorCalls,
  ExecutorNotice,
  ExecutorSetup,
  TaskKey,
  TaskMetrics,
  TaskStart,
  WorkerCalls,
  WorkerNotice,
} from "./channel.ts";
import type { TaskClients } from "./clients.ts";
import { openConnector, type RunningConnector } from "./connector-instance.ts";
import {
  alterSinkOffsets,
  alterSourceOffsets,
  listOwnOffsets,
  listSinkOffsets,
  sinkProgress,
  writeOwnOffsets,
} from "./connector-offsets.ts";
import { createLease, type LeaseClock, type RenewableLease } from "./lease.ts";
import { machineClockMs } from "./machine-clock.ts";
import { createNoticeLog } from "./notice-log.ts";
import type { OffsetsTopics } from "./offsets-topics.ts";
import type { Handlers, Rpc } from "./rpc.ts";
import { type BuiltTask, buildTask, checkTaskLimit, type TaskEnvironment } from "./task-factory.ts";

/** What the process gives to its host. */
export interface HostOptions {
  /** The calling half of the channel; asked for when the first message goes out. */
  readonly rpc: () => Rpc<WorkerCalls, ExecutorNotice>;
  readonly plugins: PluginStore;
  readonly createClients: (setup: ExecutorSetup) => TaskClients;
  readonly offsetsTopics: OffsetsTopics;
  readonly env: ProviderEnvironment["env"];
  readonly given?: ProviderEnvironment["given"];
  /** Puts placeholders in place of whatever config providers have given. */
  readonly hide: (text: string) => string;
  readonly memoryBytes: () => number;
  readonly now: () => number;
  readonly random: () => number;
  readonly leaseClock?: LeaseClock;
  /** The clock that lease notices are stamped with. */
  readonly machineNow?: () => number;
  /** The lease has run out and everything has ended: the process must go. */
  readonly leaseLost: () => void;
}

/** The executor's side of the channel: connector instances and tasks by name. */
export interface ExecutorHost {
  readonly handlers: Handlers<ExecutorCalls>;
  hear(notice: WorkerNotice): void;
  /** Counters of the tasks whose counters have changed since the last call. */
  changedMetrics(): readonly TaskMetrics[];
}

interface Task {
  readonly key: TaskKey;
  readonly runner: TaskRunner;
  readonly type: () => TaskMetrics["type"];
  /** null until the task is built. */
  readonly built: () => BuiltTask | null;
  lastMetrics: string;
}

/** Longest wait for tasks to close what they have open, once the lease is lost. */
const LEASE_LOST_MS = 2_000;

export function createHost(options: HostOptions): ExecutorHost {
  return new Host(options);
}

class Host implements ExecutorHost {
  readonly #options: HostOptions;
  readonly #connectors = new Map<string, RunningConnector>();
  /** Connectors that are being started; never reject. */
  readonly #opening = new Map<string, Promise<unknown>>();
  readonly #tasks = new Map<string, Task>();
  readonly #lease: RenewableLease;
  #environment: TaskEnvironment | null = null;
  #resolver: ConfigResolver | null = null;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#lease = createLease(() => void this.#loseLease(), options.leaseClock);
  }

  readonly handlers: Handlers<ExecutorCalls> = {
    setup: (setup) => this.#setup(setup),
    ping: () => ({ memoryBytes: this.#options.memoryBytes() }),
    plugins: () => this.#options.plugins.list(),
    probePackage: ({ manifest }) => this.#options.plugins.probe(manifest),
    configDef: async ({ plugin, version }) => {
      const { plugins } = this.#options;
      await plugins.ensure([plugin]);
      return configDefOf(plugins, plugins.any(plugin, version ?? undefined));
    },
    validate: ({ config }, signal) => validateConfig(this.#ready(), config, signal),
    startConnector: (start, signal) => this.#startConnector(start, signal),
    stopConnector: ({ connector }) => this.#stopConnector(connector),
    setTargetState: async ({ connector, targetState }, signal) => {
      for (const task of this.#tasks.values()) {
        if (task.key.connector === connector) task.runner.setPaused(targetState === "PAUSED");
      }
      // One that is being started was asked for its former target state.
      await this.#opening.get(connector);
      await this.#connectors.get(connector)?.setTargetState(targetState, signal);
      return null;
    },
    alterSourceOffsets: (args, signal) => alterSourceOffsets(this.#ready(), args, signal),
    ownOffsets: (owner, signal) => listOwnOffsets(this.#ready(), owner, signal),
    writeOwnOffsets: (args, signal) => writeOwnOffsets(this.#ready(), args, signal),
    connectorType: async ({ config }, signal) => {
      const { plugins, resolver } = this.#ready();
      return findQuietly(plugins, await resolver.resolve(config, signal))?.kind ?? "unknown";
    },
    fenceProducers: async ({ connector, config, tasks }, signal) => {
      const { clients, resolver, worker } = this.#ready();
      const connectorConfig = await resolver.resolve(config, signal);
      await clients.fenceProducers({ worker, connectorConfig, connector }, tasks, signal);
      return null;
    },
    sinkOffsets: (owner, signal) => listSinkOffsets(this.#ready(), owner, signal),
    sinkProgress: (owner, signal) => sinkProgress(this.#ready(), owner, signal),
    alterSinkOffsets: (args, signal) => alterSinkOffsets(this.#ready(), args, signal),
    taskConfigs: ({ connector }, signal) => {
      const running = this.#connectors.get(connector);
      if (running === undefined) throw new ConnectError("not-found", `Connector ${connector} does not run here`);
      return running.taskConfigs(signal);
    },
    startTask: (start) => this.#startTask(start),
    stopTask: ({ key, timeoutMs }) => this.#stopTask(key, timeoutMs),
  };

  hear(notice: WorkerNotice): void {
    if (notice.kind === "packages") {
      this.#options.plugins.use(notice.packages);
      return;
    }
    const ageMs = Math.max(0, (this.#options.machineNow ?? machineClockMs)() - notice.sentAtMs);
    this.#lease.renew(notice.ttlMs - ageMs);
  }

  changedMetrics(): readonly TaskMetrics[] {
    const changed: TaskMetrics[] = [];
    for (const task of this.#tasks.values()) {
      const values = task.runner.metrics();
      const built = task.built();
      const own = built?.ownMetrics() ?? [];
      const text = JSON.stringify([values, own, built === null]);
      if (text === task.lastMetrics) continue;
      task.lastMetrics = text;
      changed.push({ key: task.key, type: task.type(), values, classes: built?.classes ?? null, own });
    }
    return changed;
  }

  #notify(notice: ExecutorNotice): void {
    this.#options.rpc().notify(notice);
  }

  #setup(setup: ExecutorSetup): ExecutorCalls["setup"]["result"] {
    const { plugins, env, given, hide, now, random } = this.#options;
    const log = createNoticeLog((notice) => this.#notify(notice), {});
    const clients = this.#options.createClients(setup);
    const warn = (fields: object, message: string) => log.warn(fields, message);
    const resolver = createConfigResolver(forConnectors(setup.worker), { env, warn, ...(given && { given }) });
    this.#resolver = resolver;
    this.#environment = {
      worker: setup.worker,
      plugins,
      resolver: this.#loading(resolver.resolve),
      clients,
      offsetsTopics: this.#options.offsetsTopics,
      hide,
      now,
      random,
      offsetKeys: (connector, partitions, signal) =>
        this.#options.rpc().call("offsetKeys", { connector, partitions }, signal),
      async fenceZombies(connector, signal) {
        await options.rpc().call("fenceZombies", { connector }, signal);
      },
      isCurrentTask: (key, taskGeneration, signal) =>
        this.#options.rpc().call("isCurrentTask", { key, taskGeneration }, signal),
      readOffsets: (connector, partitions, signal) =>
        this.#options.rpc().call("readOffsets", { connector, partitions }, signal),
      async writeOffsets(connector, offsets, signal) {
        await options.rpc().call("writeOffsets", { connector, offsets }, signal);
      },
      activeTopic: (connector, task, topic) => this.#notify({ kind: "activeTopic", connector, task, topic }),
    };
    const options = this.#options;
    return { features: clients.features(), memoryBytes: this.#options.memoryBytes() };
  }

  /** Resolves configurations and loads the packages of the plugins that they and the worker name. */
  #loading(resolve: ConfigResolver["resolve"]): Pick<ConfigResolver, "resolve"> {
    return {
      resolve: async (raw, signal) => {
        const config = await resolve(raw, signal);
        await this.#options.plugins.ensure(pluginNames(config, this.#ready().worker));
        return config;
      },
    };
  }

  /** As {@link #loading}; and tells the worker about values that run out, if the connector is to be restarted then. */
  #expiring(connector: string, task: number | null, connectorConfig: StringMap): Pick<ConfigResolver, "resolve"> {
    const resolver = this.#resolver;
    if (resolver === null) throw new Error("the executor has not been set up");
    let reload = connectorConfig["config.action.reload"];
    return this.#loading(async (raw, signal) => {
      const { config, expiries } = await resolver.resolveTimed(raw, signal);
      reload = config["config.action.reload"] ?? reload;
      for (const expiry of reload?.trim() === "none" ? [] : expiries)
        this.#notify({ kind: "expiry", connector, task, ...expiry });
      return config;
    });
  }

  #ready(): TaskEnvironment {
    if (this.#environment === null) throw new Error("the executor has not been set up");
    return this.#environment;
  }

  async #startConnector(start: ConnectorStart, signal: AbortSignal): Promise<null> {
    const { connector, config, targetState } = start;
    if (this.#connectors.has(connector) || this.#opening.has(connector))
      throw new ConnectError("conflict", `Connector ${connector} runs here already`);
    const { plugins } = this.#ready();
    const log = createNoticeLog((notice) => this.#notify(notice), { connector });
    const opened = openConnector(
      {
        connector,
        config,
        plugins,
        resolver: this.#expiring(connector, null, config),
        log,
        report: (state, error, version) =>
          this.#notify({ kind: "status", connector, task: null, state, trace: traceOf(error), version }),
        requestTaskReconfiguration: () => this.#notify({ kind: "taskReconfiguration", connector }),
      },
      targetState,
      signal,
    );
    this.#opening.set(
      connector,
      opened.catch(() => {}),
    );
    try {
      this.#connectors.set(connector, await opened);
    } finally {
      this.#opening.delete(connector);
    }
    return null;
  }

  async #stopConnector(connector: string): Promise<null> {
    // The worker has given up a start that is still going on; what it has opened must not outlive the stop.
    await this.#opening.get(connector);
    const running = this.#connectors.get(connector);
    this.#connectors.delete(connector);
    await running?.stop();
    return null;
  }

  #startTask(start: TaskStart): null {
    const { key } = start;
    const id = idOf(key);
    if (this.#tasks.has(id)) throw new ConnectError("conflict", `Task ${id} runs here already`);
    const environment = {
      ...this.#ready(),
      resolver: this.#expiring(key.connector, key.task, start.connectorConfig),
    };
    const log = createNoticeLog((notice) => this.#notify(notice), { connector: key.connector, task: key.task });
    const { body, built } = buildLate({
      check: (signal) => checkTaskLimit(environment, start, signal),
      build: (signal) => buildTask(environment, start, log, signal),
    });
    // Until it is built, only a class that is no placeholder can be told.
    const plugin = () => built()?.definition ?? findQuietly(this.#options.plugins, start.connectorConfig);
    const runner = startTask({
      label: id,
      body,
      paused: start.targetState === "PAUSED",
      lease: this.#lease,
      report: (state, error) => {
        if (state === "FAILED") log.error({ error }, "task failed");
        const status = { kind: "status", connector: key.connector, task: key.task } as const;
        this.#notify({ ...status, state, trace: traceOf(error), version: plugin()?.version ?? null });
      },
    });
    const type = () => (plugin()?.kind === "sink" ? ("sink" as const) : ("source" as const));
    this.#tasks.set(id, { key, runner, type, built, lastMetrics: "" });
    return null;
  }

  async #stopTask(key: TaskKey, timeoutMs: number): Promise<null> {
    const id = idOf(key);
    const task = this.#tasks.get(id);
    if (task === undefined) return null;
    await task.runner.stop(timeoutMs);
    this.#tasks.delete(id);
    return null;
  }

  /** Invariant 3: what could still act ends now; the rest is left to the end of the process. */
  async #loseLease(): Promise<void> {
    const log = createNoticeLog((notice) => this.#notify(notice), {});
    log.error({ tasks: [...this.#tasks.keys()] }, "lease ran out, everything here ends");
    const reason = new LeaseLost("the lease has run out");
    const ending = [...this.#tasks.values()].map((task) => task.runner.kill(reason));
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, LEASE_LOST_MS);
    await Promise.race([Promise.all(ending), deadline.promise]);
    clearTimeout(timer);
    this.#options.leaseLost();
  }
}

/** A body whose parts are made when it runs, so that what its configuration has wrong fails the task, not its start. */
function buildLate({
  check,
  build,
}: {
  readonly check: (signal: AbortSignal) => Promise<void>;
  readonly build: (signal: AbortSignal) => Promise<BuiltTask>;
}): {
  readonly body: TaskBody;
  readonly built: () => BuiltTask | null;
} {
  let built: BuiltTask | null = null;
  return {
    body: {
      check,
      async run(control) {
        built = await build(control.stopping);
        await built.body.run(control);
      },
      metrics: () => built?.body.metrics() ?? {},
    },
    built: () => built,
  };
}

function findQuietly(plugins: PluginRegistry, config: StringMap) {
  try {
    return plugins.connector(config["connector.class"]?.trim() ?? "", config["connector.plugin.version"]);
  } catch {
    return null;
  }
}

function idOf(key: TaskKey): string {
  return `${key.connector}-${key.task}`;
}

function traceOf(error: unknown): string | null {
  return error === null ? null : formatTrace(error);
}
