import type { ConnectorInfo, StringMap, TargetState } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { ExecutorPool } from "../executor/pool.ts";
import type { GroupMember } from "../group/group.ts";
import type { ClusterConfig, ConfigStore, StatusStore } from "../store/stores.ts";
import type { Herder } from "./herder.ts";
import { createLanes } from "./lanes.ts";
import { pause } from "./pause.ts";
import type { RequestScope } from "./request-scope.ts";
import { type StableView, stableView } from "./stable-view.ts";
import { requireValid } from "./validate.ts";
import type { Views } from "./views.ts";

/** A request's end here, or the worker that has to do it: the leader, or the owner of a task. */
export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "forward"; readonly url: string };

/** Everything that changes the cluster. Each rejects with a ConnectError whose code and text are the contract's (§5.3). */
export interface Commands {
  createConnector(request: CreateConnector, scope: RequestScope): Promise<Outcome<ConnectorInfo>>;
  putConfig(name: string, config: StringMap, scope: RequestScope): Promise<Outcome<PutResult>>;
  deleteConnector(name: string, scope: RequestScope): Promise<Outcome<null>>;
  /** Pause and resume: any worker writes the target state. */
  setTargetState(name: string, state: "STARTED" | "PAUSED", scope: RequestScope): Promise<void>;
  /** Gives up the connector's tasks, then its instance. Idempotent. */
  stopConnector(name: string, scope: RequestScope): Promise<Outcome<null>>;
  restart(name: string, task: number | null, scope: RequestScope): Promise<Outcome<null>>;
  /** Stores a connector's task configurations; the leader only. */
  commitTasks(name: string, tasks: readonly StringMap[], scope: RequestScope): Promise<Outcome<null>>;
  resetTopics(name: string): void;
}

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

export interface CommandsOptions {
  readonly configStore: Pick<
    ConfigStore,
    "config" | "putConnector" | "removeConnector" | "putTaskConfigs" | "putTargetState"
  >;
  readonly statusStore: Pick<StatusStore, "resetTopics">;
  readonly member: () => Pick<GroupMember, "view" | "onView" | "confirm">;
  readonly herder: Pick<Herder, "owns" | "restart">;
  readonly pool: Pick<ExecutorPool, "validate">;
  readonly views: Pick<Views, "info">;
}

/** Pause before a membership that could not be confirmed is asked for again. */
const CONFIRM_AGAIN_MS = 50;

/** Creates the commands. Those of one connector are done in the order in which they came. */
export function createCommands(options: CommandsOptions): Commands {
  const { configStore, statusStore, member, herder, pool, views } = options;
  const lanes = createLanes();

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

  const awaitGroup = (scope: RequestScope): Promise<StableView> => {
    scope.enter("ensuring membership in the cluster");
    return stableView(member(), scope.signal);
  };

  /** Confirms right before the write that this worker still is a member of the generation it leads (invariant 5). */
  const asLeader = <T>(name: string, scope: RequestScope, write: () => Promise<T>): Promise<Outcome<T>> =>
    lanes.enter(name, async () => {
      for (;;) {
        const view = await awaitGroup(scope);
        if (!view.isLeader) return { kind: "forward", url: view.leaderUrl };
        try {
          await member().confirm(scope.signal);
          return { kind: "done", value: await write() };
        } catch (error) {
          if (!isRebalance(error) || scope.signal.aborted) throw error;
        }
        await pause(CONFIRM_AGAIN_MS, scope.signal);
      }
    });

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
      const view = await awaitGroup(scope);
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
      const view = await awaitGroup(scope);
      if (!view.isLeader) return { kind: "forward", url: view.leaderUrl };
      await validate(name, wanted, scope);
      return asLeader(name, scope, async () => {
        const created = !config().connectors.has(name);
        await write(name, wanted, null, scope);
        return { created, info: infoOf(name) };
      });
    },

    deleteConnector: (name, scope) =>
      asLeader(name, scope, async () => {
        requireConnector(name, `Connector ${name} not found`);
        scope.enter(`removing the config for connector ${name} from the config topic`);
        await configStore.removeConnector(name, scope.signal);
        return null;
      }),

    setTargetState: (name, state, scope) =>
      lanes.enter(name, async () => {
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

    async restart(name, task, scope) {
      const view = await awaitGroup(scope);
      const entry = requireConnector(name, `Unknown connector: ${name}`);
      if (task !== null && entry.tasks?.[task] === undefined) {
        throw new ConnectError("not-found", `Unknown task: ${name}-${task}`);
      }
      if (herder.owns(name, task)) {
        scope.enter(task === null ? `restarting connector ${name}` : `restarting task ${name}-${task}`);
        await herder.restart(name, task);
        return { kind: "done", value: null };
      }
      return { kind: "forward", url: ownerUrl(view, name, task) };
    },

    commitTasks,
    resetTopics: (name) => statusStore.resetTopics(name),
  };
}

function isRebalance(error: unknown): boolean {
  return error instanceof ConnectError && error.code === "rebalance";
}

/** Where a restart goes on: at the owner if this is the leader, which knows it; else at the leader. */
function ownerUrl(view: StableView, name: string, task: number | null): string {
  if (!view.isLeader) return view.leaderUrl;
  const owner = view.members.find(({ assignment }) =>
    task === null
      ? assignment.connectors.includes(name)
      : assignment.tasks.some((id) => id.connector === name && id.task === task),
  );
  if (owner === undefined || owner.memberId === view.memberId) {
    throw new ConnectError(
      "rebalance",
      "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)",
    );
  }
  return owner.url;
}
