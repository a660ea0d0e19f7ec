import { ConnectError } from "../errors.ts";
import type { GroupMember } from "../group/group.ts";
import { pause } from "../pause.ts";
import { createLanes } from "./lanes.ts";
import type { RequestScope } from "./request-scope.ts";
import { hasTasksOf, type StableView, stableView, tasksStopped } from "./stable-view.ts";

/** A request's end here, or the worker that has to do it: the leader, or the owner of a task. */
export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "forward"; readonly url: string };

/** Steps of requests that change the cluster: those of one connector in order, those of the leader only while it leads. */
export interface LeaderSteps {
  /** Waits for the end of a rebalance. Rejects with the contract's 409 when the request may wait no longer. */
  group(scope: RequestScope): Promise<StableView>;
  /** Runs `step` when everything entered before for this connector has ended. */
  inOrder<T>(connector: string, step: () => Promise<T>): Promise<T>;
  /**
   * The same, if this worker leads; confirms right before that it still is a member of the generation it leads (invariant 5). A
   * step that a rebalance interrupts is repeated after it.
   */
  asLeader<T>(connector: string, scope: RequestScope, step: () => Promise<T>): Promise<Outcome<T>>;
  /** Whether somebody runs a task of this connector, or is stopping one; false where only the leader can tell. */
  hasTasks(connector: string): boolean;
  /** Waits until {@link hasTasks} is false; holds up no other step. */
  tasksStopped(connector: string, scope: RequestScope): Promise<void>;
}

/** Pause before a membership that could not be confirmed is asked for again. */
const CONFIRM_AGAIN_MS = 50;

/** Creates the steps of one worker; all commands share them. */
export function createLeaderSteps(member: () => Pick<GroupMember, "view" | "onView" | "confirm">): LeaderSteps {
  const lanes = createLanes();
  const group = (scope: RequestScope) => {
    scope.enter("ensuring membership in the cluster");
    return stableView(member(), scope.signal);
  };
  return {
    group,
    hasTasks: (connector) => hasTasksOf(connector, member().view()),
    tasksStopped(connector, scope) {
      scope.enter(`waiting for the tasks of connector ${connector} to stop`);
      return tasksStopped(member(), connector, scope.signal);
    },
    inOrder: (connector, step) => lanes.enter(connector, step),
    asLeader: (connector, scope, step) =>
      lanes.enter(connector, async () => {
        for (;;) {
          const view = await group(scope);
          if (!view.isLeader) return { kind: "forward", url: view.leaderUrl };
          try {
            await member().confirm(scope.signal);
            return { kind: "done", value: await step() };
          } catch (error) {
            if (!isRebalance(error) || scope.signal.aborted) throw error;
          }
          await pause(CONFIRM_AGAIN_MS, scope.signal);
        }
      }),
  };
}

/** True if it failed because work is moving, so that it may succeed soon. */
export function isRebalance(error: unknown): boolean {
  return error instanceof ConnectError && error.code === "rebalance";
}
