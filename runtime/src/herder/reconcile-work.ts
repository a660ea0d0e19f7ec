import type { TargetState } from "@headrace/contract";
import type { ConnectorEntry } from "../store/stores.ts";
import type { Released } from "./last-round.ts";
import type { ConnectorShare, ConnectorWork, StartPlan, Work } from "./work.ts";

/** Everything that decides what one connector's parts on this worker have to do now. */
export interface ReconcileInput {
  /** null: the connector is not in the config topic (any more). */
  readonly entry: ConnectorEntry | null;
  /** null: the last round gave nothing of it to this worker. */
  readonly share: ConnectorShare | null;
  readonly work: ConnectorWork;
  readonly released: Released;
  readonly nowMs: number;
}

export type WorkAction =
  | { readonly kind: "start"; readonly task: number | null; readonly plan: StartPlan }
  /** `again`: it is wanted still, and starts anew when it has stopped. */
  | { readonly kind: "stop"; readonly work: Work; readonly again: boolean }
  | { readonly kind: "setTargetState"; readonly targetState: TargetState }
  | { readonly kind: "reportStopped" };

/** Decides; changes nothing. Stopping items are left alone: their end is a message that brings us here again. */
export function reconcileWork(input: ReconcileInput): readonly WorkAction[] {
  const { entry, work } = input;
  const actions: WorkAction[] = [];
  const instanceWanted = entry !== null && input.share?.instance === true && entry.targetState !== "STOPPED";
  reconcileOne(input, { task: null, current: work.instance, wanted: instanceWanted }, actions);

  const tasks = new Set([...work.tasks.keys(), ...(input.share?.tasks ?? [])]);
  for (const task of tasks) {
    const configured = entry?.tasks?.[task] !== undefined && entry.targetState !== "STOPPED";
    const wanted = configured && input.share?.tasks.has(task) === true;
    reconcileOne(input, { task, current: work.tasks.get(task) ?? null, wanted }, actions);
  }

  if (entry !== null && entry.targetState !== "STOPPED" && targetDiffers(work, entry.targetState, actions)) {
    actions.push({ kind: "setTargetState", targetState: entry.targetState });
  }
  const mayReport = input.share?.instance === true && entry?.targetState === "STOPPED" && !work.stoppedReported;
  if (mayReport && work.instance === null) actions.push({ kind: "reportStopped" });
  return actions;
}

function reconcileOne(
  input: ReconcileInput,
  item: { readonly task: number | null; readonly current: Work | null; readonly wanted: boolean },
  actions: WorkAction[],
): void {
  const { task, current, wanted } = item;
  if (current === null || current.phase === "waiting") {
    const due = current === null || current.stale || current.notBeforeMs <= input.nowMs;
    if (wanted && due && released(input, task)) actions.push(start(input.entry, task));
    else if (!wanted && current !== null) actions.push({ kind: "stop", work: current, again: false });
    return;
  }
  if (current.phase === "stopping") return;
  if (!wanted) return void actions.push({ kind: "stop", work: current, again: false });
  const outdated = task !== null && current.taskGeneration !== input.entry?.taskGeneration;
  if (!current.stale && !outdated) return;
  actions.push({ kind: "stop", work: current, again: released(input, task) });
}

function released(input: ReconcileInput, task: number | null): boolean {
  return task === null ? input.released.instances : input.released.tasks;
}

function start(entry: ConnectorEntry | null, task: number | null): WorkAction {
  if (entry === null) throw new Error("a connector without configuration is never wanted");
  const { config, targetState, taskGeneration } = entry;
  const taskConfig = task === null ? null : (entry.tasks?.[task] ?? null);
  const generation = task === null ? 0 : taskGeneration;
  return {
    kind: "start",
    task,
    plan: {
      connectorConfig: config,
      taskConfig,
      targetState,
      taskGeneration: generation,
      taskCount: entry.tasks?.length ?? 0,
    },
  };
}

/** True if something that goes on here still works towards another target state. */
function targetDiffers(work: ConnectorWork, target: TargetState, actions: readonly WorkAction[]): boolean {
  const stopping = new Set(actions.flatMap((action) => (action.kind === "stop" ? [action.work] : [])));
  const parts = [...(work.instance === null ? [] : [work.instance]), ...work.tasks.values()];
  return parts.some(
    (part) =>
      (part.phase === "starting" || part.phase === "running") && part.targetState !== target && !stopping.has(part),
  );
}
