import type { ConnectorStateInfo } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import { pause } from "../pause.ts";
import type { ConfigStore, RestartScope } from "../store/stores.ts";
import type { Herder } from "./herder.ts";
import { isRebalance, type LeaderSteps, type Outcome } from "./leader-steps.ts";
import type { RequestScope } from "./request-scope.ts";
import { planRestart, toRestarting } from "./restart-plan.ts";
import type { StableView } from "./stable-view.ts";
import type { Views } from "./views.ts";

/** Restarts over REST (contract §5.3). */
export interface RestartCommands {
  /** The connector instance (null) or one task, by its owner. Waits while the item is moving. */
  restart(name: string, task: number | null, scope: RequestScope): Promise<Outcome<null>>;
  /** Several parts, each by whoever owns it (KIP-745). Resolves with the plan when every worker can read the request. */
  restartParts(name: string, parts: RestartScope, scope: RequestScope): Promise<Outcome<ConnectorStateInfo>>;
}

export interface RestartCommandsOptions {
  readonly configStore: Pick<ConfigStore, "config" | "putRestart">;
  readonly herder: Pick<Herder, "owns" | "restart">;
  readonly views: Pick<Views, "state">;
  readonly steps: LeaderSteps;
}

/** Pause before it is looked again who owns an item that is moving. */
const LOOK_AGAIN_MS = 50;

/** Creates the commands. */
export function createRestartCommands({ configStore, herder, views, steps }: RestartCommandsOptions): RestartCommands {
  const requireItem = (name: string, task: number | null): void => {
    const entry = configStore.config().connectors.get(name);
    if (entry === undefined) throw new ConnectError("not-found", `Unknown connector: ${name}`);
    if (task !== null && entry.tasks?.[task] === undefined) {
      throw new ConnectError("not-found", `Unknown task: ${name}-${task}`);
    }
  };

  /** False if it has moved away meanwhile. */
  const restartHere = async (name: string, task: number | null): Promise<boolean> => {
    try {
      await herder.restart(name, task);
      return true;
    } catch (error) {
      if (isRebalance(error)) return false;
      const item = task === null ? `connector: ${name}` : `task: ${name}-${task}`;
      throw new ConnectError("internal", `Failed to start ${item}`, { cause: error });
    }
  };

  return {
    async restart(name, task, scope) {
      do {
        const view = await steps.group(scope);
        requireItem(name, task);
        if (herder.owns(name, task)) {
          scope.enter(task === null ? `restarting connector ${name}` : `restarting task ${name}-${task}`);
          if (await restartHere(name, task)) return { kind: "done", value: null };
        } else {
          const url = ownerUrl(view, name, task);
          if (url !== null) return { kind: "forward", url };
        }
        await pause(LOOK_AGAIN_MS, scope.signal);
      } while (!scope.signal.aborted);
      throw new ConnectError(
        "rebalance",
        "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)",
      );
    },

    restartParts: (name, parts, scope) =>
      steps.asLeader(name, scope, async () => {
        requireItem(name, null);
        const state = views.state(name);
        if (state === null) throw new ConnectError("not-found", `Status for connector ${name} not found`);
        scope.enter(`writing a restart request for connector ${name} to the config topic`);
        await configStore.putRestart(name, parts, scope.signal);
        return toRestarting(state, planRestart(state, parts));
      }),
  };
}

/** Where a restart goes on: at the owner if this is the leader, which knows it; else at the leader. null: nobody owns it just now. */
function ownerUrl(view: StableView, name: string, task: number | null): string | null {
  if (!view.isLeader) return view.leaderUrl;
  const owner = view.members.find(({ assignment }) =>
    task === null
      ? assignment.connectors.includes(name)
      : assignment.tasks.some((id) => id.connector === name && id.task === task),
  );
  return owner === undefined || owner.memberId === view.memberId ? null : owner.url;
}
