import type { ConnectorInfo, StringMap, TargetState } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { ExecutorPool } from "../executor/pool.ts";
import type { ClusterConfig, ConfigStore, StatusStore } from "../store/stores.ts";
import type { Outcome } from "./leader-steps.ts";
import type { RequestScope } from "./request-scope.ts";
import { createRestartCommands, type RestartCommands, type RestartCommandsOptions } from "./restart-commands.ts";
import { requireValid, withName } from "./validate.ts";
import type { Views } from "./views.ts";

/** Everything that changes the cluster. Each rejects with a ConnectError whose code and text are the contract's (§5.3). */
export interface Commands extends RestartCommands {
  createConnector(request: CreateConnector, scope: RequestScope): Promise<Outcome<ConnectorInfo>>;
  putConfig(name: string, config: StringMap, scope: RequestScope): Promise<Outcome<PutResult>>;
  /** Changes single keys; null removes one (KIP-477). */
  patchConfig(name: string, patch: ConfigPatch, scope: RequestScope): Promise<Outcome<ConnectorInfo>>;
  deleteConnector(name: string, scope: RequestScope): Promise<Outcome<null>>;
  /** Pause and resume: any worker writes the target state. */
  setTargetState(name: string, state: "STARTED" | "PAUSED", scope: RequestScope): Promise<void>;
  /** Gives up the connector's tasks, then its instance. Idempotent. */
  stopConnector(name: string, scope: RequestScope): Promise<Outcome<null>>;
  /** Stores a connector's task configurations; the leader only. */
  commitTasks(name: string, tasks: readonly StringMap[], scope: RequestScope): Promise<Outcome<null>>;
  /** For every worker of the group, until it ends (KIP-976); any worker writes it. */
  setLoggerLevel(namespace: string, level: string, scope: RequestScope): Promise<void>;
  resetTopics(name: string): void;
}

/** Keys with their new values; null: without the key. */
export type ConfigPatch = Readonly<Record<string, string | null>>;

export interface CreateConnector {
  readonly name: string;
  readonly config: StringMap;
  /** null: STARTED, without a record that says so. */
  readonly initialState: TargetState | null;
}

export interface PutResult {
  readonly created: boolean;
  readonly info: ConnectorInfo;
}

export interface CommandsOptions extends RestartCommandsOptions {
  readonly configStore: Pick<
    ConfigStore,
    | "config"
    | "putConnector"
    | "removeConnector"
    | "putTaskConfigs"
    | "putTargetState"
    | "putRestart"
    | "putLoggerLevel"
    | "readToEnd"
  >;
  readonly statusStore: Pick<StatusStore, "resetTopics">;
  readonly pool: Pick<ExecutorPool, "validate">;
  readonly views: Pick<Views, "info" | "state">;
}

/** Creates the commands. Those of one connector are done in the order in which they came. */
export function createCommands(options: CommandsOptions): Commands {
  const { configStore, statusStore, pool, views, steps } = options;
  const { asLeader } = steps;

  const config = (): ClusterConfig => configStore.config();

  const requireConnector = (name: string, message: string) => {
    const entry = config().connectors.get(name);
    if (entry === undefined) throw new ConnectError("not-found", message);
    return entry;
  };

  const infoOf = (name: string): ConnectorInfo => {
    const info = views.info(name);
    if (info === null) throw new ConnectError("not-found", `Connector ${name} not found`);
    return info;
  };

  const validate = async (name: string, connectorConfig: StringMap, scope: RequestScope) => {
    scope.enter(`validating the configuration of connector ${name}`);
    requireValid(await pool.validate(connectorConfig, scope.signal));
  };

  const write = (name: string, connectorConfig: StringMap, state: TargetState | null, scope: RequestScope) => {
    scope.enter(`writing a config for connector ${name} to the config topic`);
    return configStore.putConnector(name, connectorConfig, state, scope.signal);
  };

  const commitTasks: Commands["commitTasks"] = (name, tasks, scope) =>
    asLeader(name, scope, async () => {
      const entry = requireConnector(name, `Connector ${name} not found`);
      if (entry.targetState === "STOPPED" && tasks.length > 0) {
        throw new ConnectError("bad-request", `Cannot set tasks of connector ${name} because it is stopped`);
      }
      scope.enter(`writing task configs for connector ${name} to the config topic`);
      await configStore.putTaskConfigs(name, tasks, scope.signal);
      return null;
    });

  return {
    async createConnector({ name, config: wanted, initialState }, scope) {
      const view = await steps.group(scope);
      if (!view.isLeader) return { kind: "forward", url: view.leaderUrl };
      await validate(name, wanted, scope);
      return asLeader(name, scope, async () => {
        if (config().connectors.has(name)) {
          throw new ConnectError("already-exists", `Connector ${name} already exists`);
        }
        await write(name, wanted, initialState, scope);
        return infoOf(name);
      });
    },

    async putConfig(name, wanted, scope) {
      const view = await steps.group(scope);
      if (!view.isLeader) return { kind: "forward", url: view.leaderUrl };
      await validate(name, wanted, scope);
      return asLeader(name, scope, async () => {
        const created = !config().connectors.has(name);
        await write(name, wanted, null, scope);
        return { created, info: infoOf(name) };
      });
    },

    patchConfig: (name, patch, scope) =>
      // Reading, checking and writing are one step: two patches of different keys must not undo one another.
      asLeader(name, scope, async () => {
        const before = requireConnector(name, `Connector ${name} not found`).config;
        const wanted = withName(patched(before, patch), name);
        await validate(name, wanted, scope);
        await write(name, wanted, null, scope);
        return infoOf(name);
      }),

    deleteConnector: (name, scope) =>
      asLeader(name, scope, async () => {
        requireConnector(name, `Connector ${name} not found`);
        scope.enter(`removing the config for connector ${name} from the config topic`);
        await configStore.removeConnector(name, scope.signal);
        return null;
      }),

    setTargetState: (name, state, scope) =>
      steps.inOrder(name, async () => {
        // It may have been made a moment ago, by way of this worker even, and be read here yet.
        if (!config().connectors.has(name)) {
          scope.enter("reading to the end of the config topic");
          await configStore.readToEnd(scope.signal);
        }
        requireConnector(name, `Unknown connector ${name}`);
        scope.enter(`writing the target state of connector ${name} to the config topic`);
        await configStore.putTargetState(name, state, scope.signal);
      }),

    stopConnector: (name, scope) =>
      asLeader(name, scope, async () => {
        requireConnector(name, `Unknown connector ${name}`);
        scope.enter(`writing an empty set of task configs for connector ${name} to the config topic`);
        await configStore.putTaskConfigs(name, [], scope.signal);
        scope.enter(`writing the target state of connector ${name} to the config topic`);
        await configStore.putTargetState(name, "STOPPED", scope.signal);
        return null;
      }),

    ...createRestartCommands(options),
    commitTasks,
    async setLoggerLevel(namespace, level, scope) {
      scope.enter(`writing the level of logger ${namespace} to the config topic`);
      await configStore.putLoggerLevel(namespace, level, scope.signal);
    },
    resetTopics: (name) => statusStore.resetTopics(name),
  };
}

function patched(config: StringMap, patch: ConfigPatch): StringMap {
  const entries = Object.entries({ ...config, ...patch });
  return Object.fromEntries(entries.flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
}
