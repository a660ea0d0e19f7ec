import type { ConnectorStateInfo, InstanceState } from "@headrace/contract";
import type { RestartScope } from "../store/stores.ts";

/** What a restart with `includeTasks` or `onlyFailed` means for a connector as its statuses stand (KIP-745). */
export interface RestartPlan {
  readonly instance: boolean;
  readonly tasks: ReadonlySet<number>;
}

/** The states that a restart is planned from. */
export interface PresentStates {
  readonly connector: { readonly state: InstanceState };
  readonly tasks: readonly { readonly id: number; readonly state: InstanceState }[];
}

/** The instance is always restarted unless only what has failed is; tasks only if they are included. */
export function planRestart(state: PresentStates, { includeTasks, onlyFailed }: RestartScope): RestartPlan {
  const chosen = (item: { readonly state: string }) => !onlyFailed || item.state === "FAILED";
  const tasks = includeTasks ? state.tasks.filter(chosen).map(({ id }) => id) : [];
  return { instance: chosen(state.connector), tasks: new Set(tasks) };
}

/** The answer to a restart request: the statuses with what will be restarted as RESTARTING. It is the plan, not the result. */
export function toRestarting(state: ConnectorStateInfo, { instance, tasks }: RestartPlan): ConnectorStateInfo {
  return {
    ...state,
    connector: instance ? { ...state.connector, state: "RESTARTING" } : state.connector,
    tasks: state.tasks.map((task) => (tasks.has(task.id) ? { ...task, state: "RESTARTING" } : task)),
  };
}

/** Of two requests for one connector that are still to be carried out, the one that restarts more (KIP-745's order). */
export function stronger(left: RestartScope, right: RestartScope): RestartScope {
  return rank(right) > rank(left) ? right : left;
}

function rank({ includeTasks, onlyFailed }: RestartScope): number {
  return (onlyFailed ? 0 : 2) + (includeTasks ? 1 : 0);
}
