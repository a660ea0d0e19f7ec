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
export function stableView(member: Pick<GroupMember, "view" | "onView">, signal: AbortSignal): Promise<StableView> {
  const present = asStable(member.view());
  if (present !== null) return Promise.resolve(present);
  const { promise, resolve, reject } = Promise.withResolvers<StableView>();
  const unsubscribe = member.onView((view) => {
    const stable = asStable(view);
    if (stable !== null) resolve(stable);
  });
  const giveUp = () => reject(new ConnectError("rebalance", member.view().leaderUrl === null ? NO_LEADER : REBALANCE));
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
