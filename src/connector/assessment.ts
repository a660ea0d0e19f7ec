import type { ConnectorSnapshot, InstanceState } from "@headrace/contract";
import type { Assessment } from "../conditions.ts";
import type { ActResult } from "./act.ts";
import {
  type InstanceRecord,
  type RestartBook,
  type RestartPlan,
  type RestartPolicy,
  restartTimes,
} from "./auto-restart.ts";
import { expectedTasks, type InstanceId, tasksIn } from "./instances.ts";
import type { ClusterSight, ObservedConnector } from "./observe.ts";
import type { Action, StopReason } from "./plan.ts";
import type { Settling } from "./settling.ts";
import { firstLine, listProblems, sentence, timestamp } from "./text.ts";
import { toShownTrace } from "./trace.ts";
import type { Refusal } from "./validation.ts";
import type { WantedConnector } from "./wanted.ts";

/** What is known of a connector once the step of a reconcile is taken. */
export interface Findings {
  readonly observed: ObservedConnector;
  readonly wanted: WantedConnector;
  readonly action: Action;
  readonly result: ActResult;
  /** Why the wanted configuration is not the one that runs; null if nothing is wrong with it. */
  readonly refusal: Refusal | null;
  /** What the tasks have not shown yet; null if they are as told. */
  readonly settling: Settling | null;
  /** Automatic restarts; null where they are off. */
  readonly restarts: { readonly book: RestartBook; readonly policy: RestartPolicy; readonly plan: RestartPlan } | null;
}

/** Restarts after which a failure is taken for one that lasts, though it is still restarted. */
const LASTING_AFTER = 3;

/** Says in one sentence how the connector is. */
export function assess(findings: Findings): Assessment {
  const { observed, action, result, refusal, settling } = findings;
  const { cluster } = observed;
  if (result.kind === "failed" && action.kind !== "request") return assessFailure(action, result.error);
  switch (action.kind) {
    case "blocked":
      return assessBlocked(observed);
    case "paused":
    case "observe":
      return assessUntouched(findings);
    case "name-taken":
      return stalled(
        "NameTaken",
        `KafkaConnector ${keyText(action.by)} has the connector ${findings.wanted.name} of KafkaConnect ${nameOf(cluster)}: give this one another spec.name, or delete one of them.`,
      );
    case "not-allowed":
      return stalled("NamespaceNotAllowed", notAllowed(observed));
    case "reject":
      return refusal === null ? assessState(findings) : assessRefusal(refusal, observed);
    case "stop-away":
      if (refusal !== null) return assessRefusal(refusal, observed);
      return assessMove(action.from);
    case "move-away":
    case "await-move":
      return assessMove(action.from);
    case "create":
      return refusal === null ? BEING_MADE : assessRefusal(refusal, observed);
    case "update":
      return refusal === null
        ? reconciling("Updating", "The new configuration is being taken up.")
        : assessRefusal(refusal, observed);
    case "await-echo":
      return action.of === "change-state"
        ? assessTransition(findings, "wanted")
        : reconciling(action.of === "create" ? "Creating" : "Updating", "The workers are taking up the configuration.");
    case "change-state":
      if (action.why === "not-allowed") return stalled("NamespaceNotAllowed", notAllowed(observed));
      return assessTransition(findings, action.why);
    case "await-stop":
      return assessTransition(findings, action.why);
    case "start-from":
      if (result.kind !== "finished" || result.operation.succeeded) return startingFrom();
      return stalled(
        "StartFromFailed",
        `The connector waits, stopped: its first offsets cannot be set: ${result.operation.message}`,
      );
    case "request":
    case "reload":
    case "auto-restart":
    case "watch":
      if (refusal !== null) return assessRefusal(refusal, observed);
      if (action.kind === "request" && action.request.kind === "offsets" && action.request.verb !== "list") {
        return reconciling("ChangingOffsets", "The connector is stopped while its offsets are changed.");
      }
      if (settling !== null) return assessSettling(settling);
      return assessState(findings);
    case "stop-deleted":
    case "remove":
    case "await-removal":
    case "release":
      return reconciling("Deleting", "The connector is being deleted.");
    default:
      throw new Error(`unreachable: ${action satisfies never}`);
  }
}

/** Nothing is done: what runs is compared with what it was told to do last. */
function assessUntouched(findings: Findings): Assessment {
  const { cluster } = findings.observed;
  if (cluster.kind !== "live") return assessBlocked(findings.observed);
  if (cluster.actual === null) {
    return stalled("NotFound", `KafkaConnect ${nameOf(cluster)} has no connector ${findings.wanted.name}.`);
  }
  return assessState({ ...findings, wanted: { ...findings.wanted, target: cluster.actual.targetState } });
}

function assessBlocked({ cluster, resource }: ObservedConnector): Assessment {
  switch (cluster.kind) {
    case "unnamed":
      return stalled(
        "MissingClusterLabel",
        "The label headrace.dev/cluster is missing: set it to the name of a KafkaConnect in this namespace.",
      );
    case "missing": {
      if (cluster.isOthers === true)
        return stalled(
          "ClusterOfAnotherOperator",
          `KafkaConnect ${cluster.name} in namespace ${cluster.namespace} belongs to another operator: delete this KafkaConnector and make it there again.`,
        );
      const elsewhere = cluster.namespace === resource.metadata.namespace ? "" : " and headrace.dev/cluster-namespace";
      return reconciling(
        "ClusterNotFound",
        `KafkaConnect ${cluster.name}, named by the label headrace.dev/cluster${elsewhere}, does not exist in namespace ${cluster.namespace}.`,
      );
    }
    case "deleting":
      return reconciling("ClusterDeleting", `KafkaConnect ${cluster.name} is being deleted.`);
    case "scaled-to-zero":
      return stalled(
        "ClusterScaledToZero",
        `KafkaConnect ${cluster.name} has 0 replicas: scale it up to run this connector.`,
      );
    case "connecting":
      return unknown(
        `No worker of KafkaConnect ${cluster.name} tells about this connector: the operator has just begun to look.`,
      );
    case "unreachable":
      return unknown(
        `No worker of KafkaConnect ${cluster.name} has told about this connector since ${timestamp(cluster.sinceMs)}: ${sentence(cluster.reason)}`,
      );
    case "live":
      return reconciling("Deleting", "The connector is being deleted.");
    default:
      throw new Error(`unreachable: ${cluster satisfies never}`);
  }
}

function assessRefusal(refusal: Refusal, observed: ObservedConnector): Assessment {
  const { cluster } = observed;
  const kept = cluster.kind === "live" && cluster.actual !== null;
  const whatRuns = kept ? " The configuration from before stays in place." : "";
  if (refusal.kind === "unknown-class") return stalled("UnknownClass", `${unknownClass(observed)}${whatRuns}`);
  return stalled("InvalidConfig", `${listProblems(refusal.problems)}${whatRuns}`);
}

/** That the workers have no such plugin, and which they have. */
export function unknownClass({ resource, cluster }: ObservedConnector): string {
  const offered = cluster.kind === "live" ? cluster.plugins : [];
  const list =
    offered.length === 0 ? "" : `; it has ${offered.slice(0, 10).join(", ")}${offered.length > 10 ? ", …" : ""}`;
  return `KafkaConnect ${nameOf(cluster)} has no connector plugin "${resource.spec.class}"${list}.`;
}

function assessMove(from: ClusterSight): Assessment {
  return reconciling("Moving", `The connector is leaving KafkaConnect ${nameOf(from)} first${obstacle(from)}.`);
}

function obstacle(cluster: ClusterSight): string {
  if (cluster.kind === "scaled-to-zero") return ", which has 0 replicas: scale it up, or delete it";
  return cluster.kind === "unreachable" ? `, which cannot be reached: ${cluster.reason}` : "";
}

function assessFailure(action: Action, error: Extract<ActResult, { kind: "failed" }>["error"]): Assessment {
  const doing: Partial<Record<Action["kind"], string>> = {
    create: "made",
    update: "updated",
    remove: "deleted",
    "stop-deleted": "stopped",
    "stop-away": "moved",
    "move-away": "moved",
    reload: "restarted",
    "auto-restart": "restarted",
  };
  const busy = error.code === "conflict";
  return reconciling(
    busy ? "ClusterBusy" : "RequestFailed",
    `The connector could not be ${doing[action.kind] ?? "changed"}: ${sentence(error.message)}`,
  );
}

function assessSettling({ of }: Settling): Assessment {
  return of === "update"
    ? reconciling("Updating", "The workers are taking up the configuration.")
    : reconciling("Starting", "The connector is starting.");
}

/** It was asked just now to be in another state. */
function assessTransition({ wanted }: Findings, why: StopReason): Assessment {
  if (why === "offsets")
    return reconciling("ChangingOffsets", "The connector is stopped while its offsets are changed.");
  if (why === "start-from") return startingFrom();
  switch (wanted.target) {
    case "STARTED":
      return reconciling("Starting", "The connector is starting.");
    case "PAUSED":
      return reconciling("Pausing", "The connector is pausing.");
    case "STOPPED":
      return reconciling("Stopping", "The connector is stopping.");
    default:
      throw new Error(`unreachable: ${wanted.target satisfies never}`);
  }
}

function startingFrom(): Assessment {
  return reconciling("Starting", "The connector's first offsets are being set.");
}

/** Compares what runs with what is wanted. */
function assessState(findings: Findings): Assessment {
  const { observed, wanted } = findings;
  const actual = observed.cluster.kind === "live" ? observed.cluster.actual : null;
  const failure = actual === null ? null : assessFailed(actual, findings);
  if (failure !== null) return failure;
  const status = actual?.status ?? null;
  const expected = actual?.taskCount ?? null;
  switch (wanted.target) {
    case "STARTED": {
      const running = actual === null ? 0 : tasksIn(actual, "RUNNING");
      if (status?.connector.state !== "RUNNING" || expected === null || actual?.targetState !== "STARTED") {
        return reconciling("Starting", "The connector is starting.");
      }
      if (running < expected) return reconciling("Starting", `${running} of ${expected} tasks are running.`);
      return assessProving(findings) ?? settled("Running", describeRunning(expected));
    }
    case "PAUSED": {
      const paused = actual === null ? 0 : tasksIn(actual, "PAUSED");
      return status?.connector.state === "PAUSED" && paused >= (expected ?? 0)
        ? settled("Paused", "The connector is paused, as wanted.")
        : reconciling("Pausing", "The connector is pausing.");
    }
    case "STOPPED": {
      const live = status?.tasks.some(({ state }) => LIVE.has(state)) ?? false;
      return status?.connector.state === "STOPPED" && !live
        ? settled("Stopped", "The connector is stopped, as wanted.")
        : reconciling("Stopping", "The connector is stopping.");
    }
    default:
      throw new Error(`unreachable: ${wanted.target satisfies never}`);
  }
}

const LIVE: ReadonlySet<InstanceState> = new Set(["RUNNING", "PAUSED"] as const);

function describeRunning(tasks: number): string {
  if (tasks === 0) return "The connector is running; it has no tasks.";
  return `The connector and ${tasks === 1 ? "its task are" : `all ${tasks} tasks are`} running.`;
}

function assessFailed(actual: ConnectorSnapshot, findings: Findings): Assessment | null {
  const { wanted } = findings;
  const { status, taskCount, config } = actual;
  if (status === null) return null;
  const shown = (trace: string | undefined) => firstLine(trace === undefined ? trace : toShownTrace(trace, config));
  if (status.connector.state === "FAILED") {
    const message = `The connector failed: ${shown(status.connector.trace)}`;
    return failed("ConnectorFailed", message, ["connector"], findings);
  }
  const tasks = expectedTasks(actual);
  const broken = tasks.filter(({ state }) => state === "FAILED");
  const [first] = broken;
  if (first === undefined || wanted.target === "STOPPED") return null;
  const many = `${broken.length} of ${taskCount ?? tasks.length} tasks failed`;
  const ids = broken.map(({ id }) => id);
  return failed("TasksFailed", `${many}; task ${first.id}: ${shown(first.trace)}`, ids, findings);
}

/** A failure that will be restarted in a moment is on its way to be repaired; one that came back again and again needs somebody. */
function failed(
  reason: string,
  message: string,
  ids: readonly InstanceId[],
  { restarts, wanted }: Findings,
): Assessment {
  if (restarts === null || wanted.target === "STOPPED") return stalled(reason, message);
  const { book, policy, plan } = restarts;
  const records = ids.map((id) => book.get(id)).filter((record): record is InstanceRecord => record !== undefined);
  const most = Math.max(0, ...records.map((record) => record.restarts));
  if (plan.exhausted.length > 0) {
    return stalled(reason, `${message} It was restarted ${restartTimes(most)} and is not restarted any more.`);
  }
  const dueMs = Math.min(...records.map(({ dueAtMs }) => dueAtMs ?? Number.POSITIVE_INFINITY));
  const when = Number.isFinite(dueMs) ? ` Restart ${most + 1}${ofLimit(policy)} is due at ${timestamp(dueMs)}.` : "";
  return most < LASTING_AFTER ? reconciling(reason, `${message}${when}`) : stalled(reason, `${message}${when}`);
}

function ofLimit({ maxRestarts }: RestartPolicy): string {
  return maxRestarts === null ? "" : ` of ${maxRestarts}`;
}

/** What runs after a restart is believed once it has run for a while. */
function assessProving({ restarts }: Findings): Assessment | null {
  const proving = restarts?.plan.proving ?? [];
  if (proving.length === 0) return null;
  const [first] = proving;
  const what =
    proving.length > 1 ? `${proving.length} restarted tasks` : first === "connector" ? "It" : `Task ${first}`;
  const verb = proving.length > 1 ? "run" : "runs";
  return reconciling("Recovering", `${what} ${verb} again after a restart; whether for good is still to be seen.`);
}

function notAllowed({ cluster, resource }: ObservedConnector): string {
  return `KafkaConnect ${nameOf(cluster)} takes no connectors from namespace ${resource.metadata.namespace}: its spec.allowedNamespaces has to allow it.`;
}

function keyText({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function nameOf(cluster: ClusterSight): string {
  return "name" in cluster ? cluster.name : "";
}

function unknown(message: string): Assessment {
  return { ready: "Unknown", reason: "ClusterUnreachable", message, progress: "reconciling" };
}

function settled(reason: string, message: string): Assessment {
  return { ready: "True", reason, message, progress: "settled" };
}

function reconciling(reason: string, message: string): Assessment {
  return { ready: "False", reason, message, progress: "reconciling" };
}

function stalled(reason: string, message: string): Assessment {
  return { ready: "False", reason, message, progress: "stalled" };
}

/** Before a connector is there. */
export const BEING_MADE = reconciling("Creating", "The connector is being made.");
