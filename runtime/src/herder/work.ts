import type { StringMap, TargetState } from "@headrace/contract";
import type { Report } from "./status-writer.ts";

/**
 * - `starting`: the start call is under way
 * - `running`: started or paused; what exactly is told by its status
 * - `failed`: it failed by itself and stays so until it is restarted, reconfigured or given away
 * - `waiting`: its executor died; it is started again after a pause
 * - `stopping`: the stop call is under way
 */
export type Phase = "starting" | "running" | "failed" | "waiting" | "stopping";

/** A connector instance or task in this worker's hands. Only the herder's loop changes it. */
export interface Work {
  readonly connector: string;
  /** null: the connector instance. */
  readonly task: number | null;
  /** Told apart from earlier and later starts of the same item. */
  readonly run: number;
  phase: Phase;
  /** The task generation it was started from; 0 for an instance. */
  readonly taskGeneration: number;
  targetState: TargetState;
  /** It has to be stopped and started anew: restarted by a user, or its configuration changed. */
  stale: boolean;
  /** Aborted when it has stopped: ends a start call that nobody waits for any more. */
  readonly abort: AbortController;
  /** While `waiting`: not to be started before this instant. */
  notBeforeMs: number;
  /** What its status says, as far as this run goes; null before it has said anything. */
  told: Report | null;
}

/** Everything of one connector that is in this worker's hands. */
export interface ConnectorWork {
  instance: Work | null;
  readonly tasks: Map<number, Work>;
  /** STOPPED was written since the target state became STOPPED. */
  stoppedReported: boolean;
}

/** What of one connector the last round gave to this worker. */
export interface ConnectorShare {
  readonly instance: boolean;
  readonly tasks: ReadonlySet<number>;
}

/** What a start call needs to know. */
export interface StartPlan {
  readonly connectorConfig: StringMap;
  readonly taskConfig: StringMap | null;
  readonly targetState: TargetState;
  readonly taskGeneration: number;
  /** How many tasks the connector has. */
  readonly taskCount: number;
}

/** Tells items apart: a connector may be called as Connect calls another one's task (`orders-1`). */
export function itemKey({ connector, task }: { readonly connector: string; readonly task: number | null }): string {
  return `${task ?? ""}/${connector}`;
}

/** The connector of an {@link itemKey}. */
export function connectorOfKey(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}
