import { isDeepStrictEqual } from "node:util";
import type { ConnectorSnapshot, TaskState } from "@headrace/contract";

/** A request that was granted, and whose effect on the tasks the workers have not told of yet. */
export interface Settling {
  readonly of: "update" | "resume";
  /** The tasks as they were told of before the request. */
  readonly before: TaskView;
  readonly untilMs: number;
}

/** The tasks of a connector, as far as a request can change them. */
export interface TaskView {
  readonly count: number | null;
  readonly tasks: readonly TaskState[];
}

/** Tasks that have not moved in this time were not to be moved. */
const SETTLE_MS = 2_000;

/** Begins to wait for what a granted request does to the tasks. */
export function beginSettling(of: Settling["of"], actual: ConnectorSnapshot | null, nowMs: number): Settling {
  return { of, before: toTaskView(actual), untilMs: nowMs + SETTLE_MS };
}

/**
 * What is still to be waited for. The workers tell of a new configuration, or of a connector that is resumed, before they restart
 * its tasks: until then the tasks of before read RUNNING or FAILED, and a stopped connector reads as one without tasks.
 */
export function stillSettling(
  settling: Settling | null,
  actual: ConnectorSnapshot | null,
  nowMs: number,
): Settling | null {
  if (settling === null || nowMs >= settling.untilMs) return null;
  return isDeepStrictEqual(toTaskView(actual), settling.before) ? settling : null;
}

function toTaskView(actual: ConnectorSnapshot | null): TaskView {
  return { count: actual?.taskCount ?? null, tasks: actual?.status?.tasks ?? [] };
}
