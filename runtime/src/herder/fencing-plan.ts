/** What the config topic says of a connector's tasks. */
export interface FencingInput {
  /** Tasks were committed after the last fencing round. */
  readonly pending: boolean;
  /** Number of tasks when that round was done; null before any. */
  readonly taskCount: number | null;
  /** Number of tasks now. */
  readonly tasks: number;
}

/** `producers`: those of the first so many tasks are fenced, then the present number of tasks is recorded. */
export type FencingPlan = { readonly kind: "done" } | { readonly kind: "fence"; readonly producers: number };

/**
 * Decides what is to be fenced before a connector's tasks start (KIP-618; source: DistributedHerder.fenceZombieSourceTasks). A single task
 * that follows a single task needs nothing: it fences its predecessor by taking the same transactional id.
 */
export function planFencing({ pending, taskCount, tasks }: FencingInput): FencingPlan {
  if (!pending) return { kind: "done" };
  if (taskCount === null || (taskCount === 1 && tasks === 1)) return { kind: "fence", producers: 0 };
  return { kind: "fence", producers: taskCount };
}
