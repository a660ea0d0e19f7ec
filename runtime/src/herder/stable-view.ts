import { ConnectError } from "../errors.ts";
import type { GroupMember, GroupView } from "../group/group.ts";

/** A view of a group that is at rest: somebody leads it. */
export type StableView = GroupView & { readonly leaderUrl: string };

const NO_LEADER =
  "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.";
const REBALANCE = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";

/**
 * Resolves when no rebalance is running and the leader is known: at once, or as soon as that is so. Rejects with the contract's 409
 * when `signal` aborts before (§5.1).
 */
export function stableView(member: Viewed, signal: AbortSignal): Promise<StableView> {
  const late = () => new ConnectError("rebalance", member.view().leaderUrl === null ? NO_LEADER : REBALANCE);
  return awaitView(member, { pick: asStable, late }, signal);
}

/**
 * Whether a member of the group runs a task of the connector, or is stopping one: what members were told to stop has stopped once they have
 * joined the next round. Only the leader can tell; anywhere else it is false.
 */
export function hasTasksOf(connector: string, { isLeader, members }: GroupView): boolean {
  if (!isLeader) return false;
  return members.some(({ assignment, leaving }) =>
    [...assignment.tasks, ...(leaving?.tasks ?? [])].some((task) => task.connector === connector),
  );
}

/** Resolves when {@link hasTasksOf} is false. Rejects when `signal` aborts before. */
export async function tasksStopped(member: Viewed, connector: string, signal: AbortSignal): Promise<void> {
  const late = () =>
    new ConnectError(
      "internal",
      `Tasks of connector ${connector} are still running or stopping, so that their last commits could undo a change of its offsets. ` +
        "Repeat the request; if that does not help, restart the workers that they run on.",
    );
  const pick = (view: GroupView) => (hasTasksOf(connector, view) ? null : view);
  await awaitView(member, { pick, late }, signal);
}

type Viewed = Pick<GroupMember, "view" | "onView">;

/** The first view, the present one or a later one, of which `pick` makes something. */
function awaitView<T>(
  member: Viewed,
  { pick, late }: { readonly pick: (view: GroupView) => T | null; readonly late: () => ConnectError },
  signal: AbortSignal,
): Promise<T> {
  const present = pick(member.view());
  if (present !== null) return Promise.resolve(present);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const unsubscribe = member.onView((view) => {
    const picked = pick(view);
    if (picked !== null) resolve(picked);
  });
  const giveUp = () => reject(late());
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  return promise.finally(() => {
    unsubscribe();
    signal.removeEventListener("abort", giveUp);
  });
}

function asStable(view: GroupView): StableView | null {
  return view.rebalancing || view.leaderUrl === null ? null : { ...view, leaderUrl: view.leaderUrl };
}
