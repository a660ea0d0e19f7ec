import type { ConnectorSnapshot, ConnectorStateInfo, InstanceState, KafkaConnectorStatus } from "@headrace/contract";
import { labelSelector } from "../cluster-pods.ts";
import { type ConditionBody, toConditions } from "../conditions.ts";
import { assess, type Findings, unknownClass } from "./assessment.ts";
import { restartTimes, toAutoRestartStatus } from "./auto-restart.ts";
import { expectedTasks, tasksIn } from "./instances.ts";
import type { LiveCluster } from "./observe.ts";
import type { OperationStatus } from "./operation.ts";
import { isElsewhere } from "./ownership.ts";
import { listProblems, sentence } from "./text.ts";
import { toShownTrace } from "./trace.ts";

export interface ConnectorStatusInputs extends Findings {
  /** Annotations that make no sense, each as a sentence. */
  readonly annotationProblems: readonly string[];
  readonly operations: readonly OperationStatus[];
  readonly offsets: KafkaConnectorStatus["offsets"];
  readonly startFrom: KafkaConnectorStatus["startFrom"];
  readonly configSources: string | undefined;
  readonly nowMs: number;
}

/** Topics that are shown at most. */
const MAX_TOPICS = 200;

/** The status of a KafkaConnector. */
export function toConnectorStatus(inputs: ConnectorStatusInputs): KafkaConnectorStatus {
  const { observed, wanted, nowMs, operations, offsets, startFrom, configSources, annotationProblems } = inputs;
  const { resource, cluster, paused } = observed;
  const { spec, status: previous, metadata } = resource;
  const warnings = [...wanted.warnings, ...annotationProblems, ...requestWarning(inputs)];
  const assessment = { ...assess(inputs), warnings, others: otherConditions(inputs) };
  const connectCluster = rememberedCluster(inputs);
  const known = knownState(inputs);
  const tasksMax = spec.tasksMax ?? known.connectorStatus?.tasks.length ?? 0;
  const observedGeneration = paused ? previous?.observedGeneration : (metadata.generation ?? 0);
  return {
    conditions: toConditions(assessment, previous?.conditions, nowMs),
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    ...known,
    ...(offsets === undefined ? {} : { offsets }),
    tasksMax,
    ...("name" in cluster ? { labelSelector: labelSelector(cluster.name) } : {}),
    ...(connectCluster === undefined ? {} : { connectCluster }),
    ...(operations.length === 0 ? {} : { operations: [...operations] }),
    ...(startFrom === undefined ? {} : { startFrom }),
    ...(configSources === undefined ? {} : { configSources }),
  };
}

type KnownState = Pick<KafkaConnectorStatus, "connectorStatus" | "tasks" | "topics" | "autoRestart">;

/** What the workers tell of the connector; while they cannot be reached, what they told last. */
function knownState({ observed, restarts }: ConnectorStatusInputs): KnownState {
  const { resource, cluster } = observed;
  if (cluster.kind === "unreachable" || cluster.kind === "connecting") {
    const { connectorStatus, tasks, topics, autoRestart } = resource.status ?? {};
    return {
      ...(connectorStatus === undefined ? {} : { connectorStatus }),
      ...(tasks === undefined ? {} : { tasks }),
      ...(topics === undefined ? {} : { topics }),
      ...(autoRestart === undefined ? {} : { autoRestart }),
    };
  }
  if (cluster.kind !== "live" || cluster.actual === null) return {};
  const { actual } = cluster;
  const topics = actual.topics.toSorted().slice(0, MAX_TOPICS);
  const tasks = actual.taskCount === null ? {} : { tasks: `${tasksIn(actual, taskState(actual))}/${actual.taskCount}` };
  const autoRestart = restarts === null ? undefined : toAutoRestartStatus(restarts.book);
  return {
    ...(actual.status === null ? {} : { connectorStatus: shown(actual.status, actual) }),
    ...(autoRestart === undefined ? {} : { autoRestart }),
    ...tasks,
    topics,
  };
}

function shown(
  status: ConnectorStateInfo,
  actual: ConnectorSnapshot,
): NonNullable<KafkaConnectorStatus["connectorStatus"]> {
  const withTrace = <T extends { readonly trace?: string | undefined }>(instance: T): T =>
    instance.trace === undefined ? instance : { ...instance, trace: toShownTrace(instance.trace, actual.config) };
  return { ...status, connector: withTrace(status.connector), tasks: expectedTasks(actual).map(withTrace) };
}

const TASK_STATE = { STARTED: "RUNNING", PAUSED: "PAUSED", STOPPED: "STOPPED" } as const;

function taskState({ targetState }: ConnectorSnapshot): InstanceState {
  return TASK_STATE[targetState];
}

/** The cluster on which the connector is this resource's, from now on. */
function rememberedCluster({
  observed,
  action,
  result,
}: ConnectorStatusInputs): KafkaConnectorStatus["connectCluster"] {
  const { owner, resource, cluster } = observed;
  // Also of a KafkaConnect that is gone: its topics may bring the connector back.
  const kept = resource.status?.connectCluster;
  switch (action.kind) {
    case "create":
    case "update":
      return result.kind === "done" ? identify(action.cluster, observed) : kept;
    case "await-echo":
      return observed.resource.metadata.deletionTimestamp === undefined ? identify(action.cluster, observed) : kept;
    case "change-state":
    case "await-stop":
    case "start-from":
    case "request":
    case "reload":
    case "auto-restart":
    case "watch":
      return identify(action.cluster, observed);
    case "name-taken":
      return owner !== null && isElsewhere(owner, cluster) ? kept : undefined;
    default:
      return kept;
  }
}

function identify(cluster: LiveCluster, { resource, identity }: ConnectorStatusInputs["observed"]) {
  const { name, namespace, uid } = cluster;
  const elsewhere = namespace === resource.metadata.namespace ? {} : { namespace };
  return { name, ...elsewhere, uid, ...identity };
}

function otherConditions(inputs: ConnectorStatusInputs): readonly ConditionBody[] {
  const { observed, restarts } = inputs;
  const conditions = [...configCondition(inputs)];
  if (observed.paused) {
    const message = "Nothing is changed as long as the annotation pause-reconciliation is true.";
    conditions.push({ type: "ReconciliationPaused", status: "True", reason: "Annotation", message });
  }
  const exhausted = restarts?.plan.exhausted ?? [];
  if (exhausted.length > 0) {
    const limit = restarts?.policy.maxRestarts ?? 0;
    const what = exhausted.map((id) => (id === "connector" ? "the connector" : `task ${id}`)).slice(0, 10);
    const message = `After ${restartTimes(limit, "restart")}, ${what.join(", ")} ${what.length === 1 ? "is" : "are"} not restarted any more: repair the cause, then set the annotation headrace.dev/restart.`;
    conditions.push({ type: "RestartsExhausted", status: "True", reason: "BudgetSpent", message });
  }
  return conditions;
}

/** ConfigValid: what the workers said about this generation's configuration, where they said anything. */
function configCondition({ observed, action, result, refusal }: ConnectorStatusInputs): readonly ConditionBody[] {
  const type = "ConfigValid";
  if (refusal !== null) {
    const { reason, message } =
      refusal.kind === "unknown-class"
        ? { reason: "UnknownClass", message: unknownClass(observed) }
        : { reason: refusal.invalidValue ? "InvalidValue" : "InvalidConfig", message: listProblems(refusal.problems) };
    return [{ type, status: "False", reason, message }];
  }
  const accepted = ACCEPTED.has(action.kind) && result.kind !== "failed";
  if (accepted) return [{ type, status: "True", reason: "Accepted", message: "The workers accept the configuration." }];
  const { status, metadata } = observed.resource;
  if (status?.observedGeneration !== metadata.generation) return [];
  const before = status?.conditions?.find((condition) => condition.type === type);
  if (before === undefined) return [];
  return [{ type, status: before.status, reason: before.reason, message: before.message }];
}

/** Steps that are only taken for a connector that has its configuration. */
const ACCEPTED: ReadonlySet<string> = new Set([
  "create",
  "update",
  "await-echo",
  "change-state",
  "await-stop",
  "start-from",
  "request",
  "reload",
  "auto-restart",
  "watch",
]);

/** A request that fails is told as a warning until it has been carried out, or given up. */
function requestWarning({ action, result, operations }: ConnectorStatusInputs): readonly string[] {
  if (action.kind === "request" && result.kind === "failed") {
    return [`${action.request.annotation}: ${sentence(result.error.message)} It will be tried again.`];
  }
  return operations
    .filter((operation) => operation.result === "Failed")
    .map(({ type, message = "" }) => `${type} failed: ${sentence(message)}`);
}
