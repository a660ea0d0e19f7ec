import type {
  Condition,
  ConfigValueProblem,
  ConnectorSnapshot,
  ConnectorStateInfo,
  InstanceState,
  KafkaConnectorStatus,
  TaskState,
} from "@headrace/contract";
import { labelSelector } from "../cluster-pods.ts";
import { type Assessment, toConditions } from "../conditions.ts";
import type { ActResult } from "./act.ts";
import type { ClusterSight, ObservedConnector } from "./observe.ts";
import type { Action } from "./plan.ts";
import type { Settling } from "./settling.ts";
import type { WantedConnector } from "./wanted.ts";

export interface ConnectorStatusInputs {
  readonly observed: ObservedConnector;
  readonly wanted: WantedConnector;
  readonly action: Action;
  readonly result: ActResult;
  /** What the tasks have not shown yet; null if they are as told. */
  readonly settling: Settling | null;
  readonly nowMs: number;
}

const TRACE_LENGTH = 1_024;
const MESSAGE_LENGTH = 300;

/** The status of a KafkaConnector. */
export function toConnectorStatus(inputs: ConnectorStatusInputs): KafkaConnectorStatus {
  const { observed, wanted, nowMs } = inputs;
  const { resource, cluster } = observed;
  const { spec, status: previous, metadata } = resource;
  const assessment = { ...assess(inputs), warnings: [...wanted.warnings, ...restartWarning(inputs)] };
  const others = configCondition(inputs);
  const connectCluster = rememberedCluster(inputs);
  const known = knownState(observed);
  const tasksMax = spec.tasksMax ?? known.connectorStatus?.tasks.length ?? 0;
  return {
    conditions: toConditions({ ...assessment, others }, previous?.conditions, nowMs),
    observedGeneration: metadata.generation ?? 0,
    ...known,
    tasksMax,
    ...("name" in cluster ? { labelSelector: labelSelector(cluster.name) } : {}),
    ...(connectCluster === undefined ? {} : { connectCluster }),
  };
}

/** What the workers tell of the connector; while they cannot be reached, what they told last. */
function knownState({
  resource,
  cluster,
}: ObservedConnector): Pick<KafkaConnectorStatus, "connectorStatus" | "tasks" | "topics"> {
  if (cluster.kind === "unreachable" || cluster.kind === "connecting") {
    const { connectorStatus, tasks, topics } = resource.status ?? {};
    return {
      ...(connectorStatus === undefined ? {} : { connectorStatus }),
      ...(tasks === undefined ? {} : { tasks }),
      ...(topics === undefined ? {} : { topics }),
    };
  }
  if (cluster.kind !== "live" || cluster.actual === null) return {};
  const { actual } = cluster;
  const topics = actual.topics.toSorted();
  const tasks = actual.taskCount === null ? {} : { tasks: `${tasksIn(actual, taskState(actual))}/${actual.taskCount}` };
  return { ...(actual.status === null ? {} : { connectorStatus: bounded(actual.status, actual) }), ...tasks, topics };
}

function bounded(
  status: ConnectorStateInfo,
  actual: ConnectorSnapshot,
): NonNullable<KafkaConnectorStatus["connectorStatus"]> {
  return { ...status, connector: cutTrace(status.connector), tasks: expectedTasks(actual).map(cutTrace) };
}

function cutTrace<T extends { readonly trace?: string | undefined }>(instance: T): T {
  const { trace } = instance;
  return trace === undefined || trace.length <= TRACE_LENGTH
    ? instance
    : { ...instance, trace: `${trace.slice(0, TRACE_LENGTH)}…` };
}

/** The cluster on which the connector is this resource's, from now on. */
function rememberedCluster({
  observed,
  action,
  result,
}: ConnectorStatusInputs): KafkaConnectorStatus["connectCluster"] {
  const { owner, resource } = observed;
  const kept =
    owner === null || owner.kind === "missing" || owner.kind === "deleting"
      ? undefined
      : resource.status?.connectCluster;
  switch (action.kind) {
    case "create":
    case "update":
      return result.kind === "done" ? { name: action.cluster.name, uid: action.cluster.uid } : kept;
    case "await-echo":
    case "change-state":
    case "restart":
    case "watch":
      return { name: action.cluster.name, uid: action.cluster.uid };
    default:
      return kept;
  }
}

/** ConfigValid: what the workers said about this generation's configuration, where they said anything. */
function configCondition({
  observed,
  action,
  result,
  wanted,
}: ConnectorStatusInputs): Pick<Condition, "type" | "status" | "reason" | "message">[] {
  const type = "ConfigValid";
  if (action.kind === "reject") {
    return [{ type, status: "False", reason: "InvalidValue", message: listProblems(wanted.problems) }];
  }
  switch (result.kind) {
    case "invalid":
      return [{ type, status: "False", reason: "InvalidConfig", message: listProblems(result.problems) }];
    case "unknown-class":
      return [{ type, status: "False", reason: "UnknownClass", message: unknownClass(observed) }];
    case "failed":
    case "done":
      break;
    default:
      throw new Error(`unreachable: ${result satisfies never}`);
  }
  const accepted = result.kind === "done" && "cluster" in action;
  if (accepted) return [{ type, status: "True", reason: "Accepted", message: "The workers accept the configuration." }];
  const { status, metadata } = observed.resource;
  if (status?.observedGeneration !== metadata.generation) return [];
  const before = status?.conditions?.find((condition) => condition.type === type);
  if (before === undefined) return [];
  return [{ type, status: before.status, reason: before.reason, message: before.message }];
}

function restartWarning({ action, result }: ConnectorStatusInputs): readonly string[] {
  if (action.kind !== "restart") return [];
  if (action.request.kind === "unknown") return [action.request.message];
  return result.kind === "failed" ? [`The restart failed: ${sentence(result.error.message)}`] : [];
}

function assess({ observed, wanted, action, result, settling }: ConnectorStatusInputs): Assessment {
  const { cluster } = observed;
  switch (result.kind) {
    case "invalid":
      return stalled("InvalidConfig", `${listProblems(result.problems)}${whatRuns(cluster)}`);
    case "unknown-class":
      return stalled("UnknownClass", `${unknownClass(observed)}${whatRuns(cluster)}`);
    case "failed":
      if (action.kind !== "restart") return assessFailure(action, result.error);
      break;
    case "done":
      break;
    default:
      throw new Error(`unreachable: ${result satisfies never}`);
  }
  switch (action.kind) {
    case "blocked":
      return assessBlocked(observed);
    case "reject":
      return stalled("InvalidConfig", `${listProblems(wanted.problems)}${whatRuns(cluster)}`);
    case "move-away":
    case "await-move":
      return reconciling(
        "Moving",
        `The connector is leaving KafkaConnect ${nameOf(action.from)} first${obstacle(action.from)}.`,
      );
    case "create":
      return reconciling("Creating", "The connector is being made.");
    case "update":
      return reconciling("Updating", "The new configuration is being taken up.");
    case "await-echo":
      return action.of === "change-state"
        ? assessState(action.cluster.actual, wanted, true)
        : reconciling(action.of === "create" ? "Creating" : "Updating", "The workers are taking up the configuration.");
    case "change-state":
      return assessState(action.cluster.actual, wanted, true);
    case "restart":
    case "watch":
      if (settling !== null) return assessSettling(settling);
      return assessState(action.cluster.actual, wanted, false);
    case "remove":
    case "await-removal":
    case "release":
      return reconciling("Deleting", "The connector is being deleted.");
    default:
      throw new Error(`unreachable: ${action satisfies never}`);
  }
}

function assessBlocked({ cluster, resource }: ObservedConnector): Assessment {
  const { namespace = "" } = resource.metadata;
  switch (cluster.kind) {
    case "unnamed":
      return stalled(
        "MissingClusterLabel",
        "The label headrace.dev/cluster is missing: set it to the name of a KafkaConnect in this namespace.",
      );
    case "missing":
      return reconciling(
        "ClusterNotFound",
        `KafkaConnect ${cluster.name}, named by the label headrace.dev/cluster, does not exist in namespace ${namespace}.`,
      );
    case "deleting":
      return reconciling("ClusterDeleting", `KafkaConnect ${cluster.name} is being deleted.`);
    case "scaled-to-zero":
      return stalled(
        "ClusterScaledToZero",
        `KafkaConnect ${cluster.name} has 0 replicas: scale it up to run this connector.`,
      );
    case "connecting":
    case "unreachable": {
      const why = cluster.kind === "unreachable" ? cluster.reason : "the operator has just begun to look";
      const message = `No worker of KafkaConnect ${cluster.name} tells about this connector: ${sentence(why)}`;
      return { ready: "Unknown", reason: "ClusterUnreachable", message, progress: "reconciling" };
    }
    case "live":
      return reconciling("Deleting", "The connector is being deleted.");
    default:
      throw new Error(`unreachable: ${cluster satisfies never}`);
  }
}

function assessFailure(action: Action, error: Extract<ActResult, { kind: "failed" }>["error"]): Assessment {
  const doing = { create: "made", update: "updated", remove: "deleted", "move-away": "moved" } as const;
  const verb = action.kind in doing ? doing[action.kind as keyof typeof doing] : "changed";
  const busy = error.code === "conflict";
  return reconciling(
    busy ? "ClusterBusy" : "RequestFailed",
    `The connector could not be ${verb}: ${sentence(error.message)}`,
  );
}

function assessSettling({ of }: Settling): Assessment {
  return of === "update"
    ? reconciling("Updating", "The workers are taking up the configuration.")
    : reconciling("Starting", "The connector is starting.");
}

/** Compares what runs with what is wanted. `asked`: the change of state was asked for just now. */
function assessState(actual: ConnectorSnapshot | null, { target }: WantedConnector, asked: boolean): Assessment {
  const status = actual?.status ?? null;
  const expected = actual?.taskCount ?? null;
  if (!asked && status !== null) {
    if (status.connector.state === "FAILED") {
      return stalled("ConnectorFailed", `The connector failed: ${firstLine(status.connector.trace)}`);
    }
    const tasks = actual === null ? [] : expectedTasks(actual);
    const failed = tasks.filter(({ state }) => state === "FAILED");
    if (failed[0] !== undefined && target !== "STOPPED") {
      const many = `${failed.length} of ${expected ?? tasks.length} tasks failed`;
      return stalled("TasksFailed", `${many}; task ${failed[0].id}: ${firstLine(failed[0].trace)}`);
    }
  }
  switch (target) {
    case "STARTED": {
      const running = actual === null ? 0 : tasksIn(actual, "RUNNING");
      if (asked || status?.connector.state !== "RUNNING" || expected === null) {
        return reconciling("Starting", "The connector is starting.");
      }
      if (running < expected) return reconciling("Starting", `${running} of ${expected} tasks are running.`);
      return settled(
        "Running",
        expected === 0
          ? "The connector is running; it has no tasks."
          : `The connector and ${allTasks(expected)} running.`,
      );
    }
    case "PAUSED": {
      const paused = actual === null ? 0 : tasksIn(actual, "PAUSED");
      const there = !asked && status?.connector.state === "PAUSED" && paused >= (expected ?? 0);
      return there
        ? settled("Paused", "The connector is paused, as wanted.")
        : reconciling("Pausing", "The connector is pausing.");
    }
    case "STOPPED": {
      const live = status?.tasks.some(({ state }) => state === "RUNNING" || state === "PAUSED") ?? false;
      const there = !asked && status?.connector.state === "STOPPED" && !live;
      return there
        ? settled("Stopped", "The connector is stopped, as wanted.")
        : reconciling("Stopping", "The connector is stopping.");
    }
    default:
      throw new Error(`unreachable: ${target satisfies never}`);
  }
}

const TASK_STATE = { STARTED: "RUNNING", PAUSED: "PAUSED", STOPPED: "STOPPED" } as const;

function taskState({ targetState }: ConnectorSnapshot): InstanceState {
  return TASK_STATE[targetState];
}

/** The tasks that there should be: states of tasks from before a reduction stay in the status topic. */
function expectedTasks({ status, taskCount }: ConnectorSnapshot): readonly TaskState[] {
  return status?.tasks.filter(({ id }) => id < (taskCount ?? 0)) ?? [];
}

function tasksIn(actual: ConnectorSnapshot, wanted: InstanceState): number {
  return expectedTasks(actual).filter(({ state }) => state === wanted).length;
}

function allTasks(count: number): string {
  return count === 1 ? "its task are" : `all ${count} tasks are`;
}

function unknownClass({ resource, cluster }: ObservedConnector): string {
  const offered = cluster.kind === "live" ? cluster.plugins : [];
  const list =
    offered.length === 0 ? "" : `; it has ${offered.slice(0, 10).join(", ")}${offered.length > 10 ? ", …" : ""}`;
  return `KafkaConnect ${nameOf(cluster)} has no connector plugin "${resource.spec.class}"${list}.`;
}

function whatRuns(cluster: ClusterSight): string {
  return cluster.kind === "live" && cluster.actual !== null ? " The configuration from before stays in place." : "";
}

function listProblems(problems: readonly ConfigValueProblem[]): string {
  const list = problems.map(({ key, message }) => `${key}: ${message.replace(/\.$/, "")}`).join("; ");
  return `${problems.length === 1 ? "A setting is" : `${problems.length} settings are`} wrong: ${list}.`;
}

function nameOf(cluster: ClusterSight): string {
  return "name" in cluster ? cluster.name : "";
}

function obstacle(cluster: ClusterSight): string {
  if (cluster.kind === "scaled-to-zero") return ", which has 0 replicas: scale it up, or delete it";
  return cluster.kind === "unreachable" ? `, which cannot be reached: ${cluster.reason}` : "";
}

function firstLine(trace: string | undefined): string {
  const line = trace?.split("\n", 1)[0]?.trim() || "see connectorStatus";
  return sentence(line.length > MESSAGE_LENGTH ? `${line.slice(0, MESSAGE_LENGTH)}…` : line);
}

function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
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
