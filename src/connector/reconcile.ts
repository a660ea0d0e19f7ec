import { CONNECTOR_FINALIZER, type KafkaConnectorStatus } from "@headrace/contract";
import type { Logger } from "pino";
import { toConditions } from "../conditions.ts";
import type { Reconcile } from "../controller/controller.ts";
import { noLaterThan, type Outcome, retryAfter, settled } from "../controller/outcome.ts";
import { type KafkaConnector, KafkaConnectors } from "../kinds.ts";
import type { EventRecorder, KubeClient, ObjectKey } from "../kube/client.ts";
import { addFinalizer, removeFinalizer } from "../kube/finalizer.ts";
import { createStatusWriter, STATUS_WRITES } from "../status-writer.ts";
import { type ConnectClient, isConnectError } from "../worker/connect-client.ts";
import { type ActResult, act } from "./act.ts";
import { BEING_MADE, type Findings } from "./assessment.ts";
import { forgetRestarts, keepBook, noteRestarts, planRestarts, toRestartPolicy } from "./auto-restart.ts";
import type { Claim } from "./claims.ts";
import type { ClusterView } from "./event-stream.ts";
import { withoutEffectOnJvm } from "./jvm-limits.ts";
import { createMemories, type Memory } from "./memory.ts";
import { type ConnectorMetrics, NO_METRICS } from "./metrics.ts";
import { type ConnectorStores, type ObservedConnector, observe } from "./observe.ts";
import { createOffsetsStore } from "./offsets-store.ts";
import { type Action, needsFinalizer, plan } from "./plan.ts";
import { createRemovals, digestOf } from "./removals.ts";
import { createRequestDesk } from "./request-desk.ts";
import { readRequests } from "./requests.ts";
import { beginSettling, stillSettling } from "./settling.ts";
import type { SourcesLook, SourceWatch } from "./source-watch.ts";
import { foreignReferences, sourceProviders, sourcesIn } from "./sources.ts";
import { toConnectorStatus } from "./status.ts";
import type { Refusal } from "./validation.ts";
import { isSameConfig, toWanted, type WantedConnector } from "./wanted.ts";

export interface ConnectorReconcileDeps {
  readonly kube: KubeClient;
  readonly connect: ConnectClient;
  readonly stores: ConnectorStores;
  readonly viewOf: (cluster: ObjectKey) => ClusterView;
  readonly claimOf: (resource: KafkaConnector) => Claim;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly connectorMetrics?: ConnectorMetrics;
  /** Not given: changes of Secrets and ConfigMaps are not noticed. */
  readonly sourceWatch?: SourceWatch;
  /** How far a connector has come; not given: that is not told. */
  readonly offsetsOf?: (resource: KafkaConnector) => KafkaConnectorStatus["offsets"];
  /** Wall clock, epoch ms. */
  readonly now: () => number;
  readonly random?: () => number;
}

const REFUSED_RETRY_MS = 30_000;
/** The workers get the right to read what a configuration names while the connector is being made. */
const RIGHTS_RETRY_MS = 1_000;
const CONNECTING_RETRY_MS = 1_000;

/** Reconciles a KafkaConnector: observe, plan, act, write the status if it changed. */
export function createConnectorReconcile(deps: ConnectorReconcileDeps): Reconcile {
  const { kube, connect, stores, events, log, now, random = Math.random } = deps;
  const { connectorMetrics: metrics = NO_METRICS } = deps;
  const statuses = createStatusWriter<KafkaConnectorStatus>(kube, KafkaConnectors, STATUS_WRITES);
  const memories = createMemories();
  const offsets = createOffsetsStore(kube);
  const removals = createRemovals(kube);
  const desk = createRequestDesk({ kube, offsets, events, metrics, now });

  /** Answers false if the resource is gone. */
  async function holdFinalizer(resource: KafkaConnector, action: Action, signal: AbortSignal): Promise<boolean> {
    if (!needsFinalizer(action)) return true;
    return (await addFinalizer(kube, KafkaConnectors, resource, CONNECTOR_FINALIZER, signal)) !== null;
  }

  /** What may be left on the cluster, or come back from its topics, is remembered before the resource is let go. */
  async function release(
    { resource }: ObservedConnector,
    { name, config }: WantedConnector,
    { left }: Extract<Action, { kind: "release" }>,
    signal: AbortSignal,
  ): Promise<void> {
    if (left !== null && "name" in left) {
      const { groupId, configStorageTopic } = resource.status?.connectCluster ?? {};
      const identity = {
        ...(groupId === undefined ? {} : { groupId }),
        ...(configStorageTopic === undefined ? {} : { configStorageTopic }),
      };
      const removal = {
        ...{ cluster: left.name, connector: name, identity, config: digestOf(config), atMs: now() },
        resetOffsets: resource.spec.resetOffsetsOnDelete === true,
        uid: resource.metadata.uid ?? "",
      };
      if (!(await removals.remember(left.namespace, removal, signal))) {
        const message = `Connector ${name} may come back with KafkaConnect ${left.name}: that it is deleted could not be written down.`;
        events.record(resource, { type: "Warning", reason: "RemovalNotRemembered", message });
      }
      if (left.kind !== "missing" && left.kind !== "deleting") {
        const message = `Connector ${name} stays on KafkaConnect ${left.name}, which could not be reached for 60 s; it is deleted there when the cluster is back.`;
        events.record(resource, { type: "Warning", reason: "ConnectorLeftBehind", message });
      }
    }
    await removeFinalizer(kube, KafkaConnectors, resource, CONNECTOR_FINALIZER, signal);
  }

  /** What has failed, and what is to be done about it by itself; null where nothing is. */
  function lookAtRestarts({ resource, cluster }: ObservedConnector, memory: Memory): Findings["restarts"] {
    const { generation = 0 } = resource.metadata;
    const isNew = memory.book.generation !== generation;
    if (isNew) memory.book = { entries: forgetRestarts(memory.book.entries), generation };
    const policy = toRestartPolicy(resource.spec.autoRestart);
    if (policy === null || cluster.kind !== "live" || cluster.actual === null) return null;
    const recorded = isNew ? undefined : resource.status?.autoRestart;
    const book = keepBook(memory.book.entries, { actual: cluster.actual, policy, recorded, nowMs: now(), random });
    memory.book = { entries: book, generation };
    return { book, policy, plan: planRestarts(book, policy, now()) };
  }

  function tellExhausted(resource: KafkaConnector, restarts: Findings["restarts"]): void {
    const told = resource.status?.conditions?.some(({ type }) => type === "RestartsExhausted") ?? false;
    if (restarts === null || restarts.plan.exhausted.length === 0 || told) return;
    metrics.restartsExhausted(keyOf(resource));
    const message = `${restarts.plan.exhausted.length} failed after as many restarts as spec.autoRestart.maxRestarts allows; not restarted any more.`;
    events.record(resource, { type: "Warning", reason: "RestartsExhausted", message });
  }

  /** What has changed of the Secrets and ConfigMaps that the connector reads. */
  async function lookAtSources(
    { resource, cluster }: ObservedConnector,
    { config }: WantedConnector,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<SourcesLook> {
    const { sourceWatch } = deps;
    if (sourceWatch === undefined || cluster.kind !== "live") return { read: memory.sources, changed: [] };
    const sources = sourcesIn(config, sourceProviders(stores.connects.get(cluster)), cluster.namespace);
    const recorded = resource.status?.configSources;
    const look = await sourceWatch.look(keyOf(resource), sources, { read: memory.sources, recorded }, signal);
    // A refusal may have been for want of just this Secret.
    if (look.read?.stamp !== memory.sources?.stamp) memory.refusal = null;
    return look;
  }

  /** Whether this configuration names Secrets or ConfigMaps and was not refused before. */
  function isFirstRead({ cluster }: ObservedConnector, { config }: WantedConnector, { refusal }: Memory): boolean {
    if (cluster.kind !== "live" || (refusal !== null && isSameConfig(refusal.of, config))) return false;
    return sourcesIn(config, sourceProviders(stores.connects.get(cluster)), cluster.namespace).length > 0;
  }

  async function perform(
    { action, observed, wanted, memory }: Step,
    restarts: Findings["restarts"],
    signal: AbortSignal,
  ): Promise<ActResult> {
    const { resource, cluster } = observed;
    const result = await act(action, { connect, offsets, resource, wanted, nowMs: now() }, signal);
    switch (result.kind) {
      case "invalid":
      case "unknown-class": {
        const clusterUid = "uid" in cluster ? cluster.uid : "";
        const untilMs = now() + (isFirstRead(observed, wanted, memory) ? RIGHTS_RETRY_MS : REFUSED_RETRY_MS);
        memory.refusal = { of: wanted.config, clusterUid, refusal: result, untilMs };
        return result;
      }
      case "skipped":
        memory.startFrom = "Skipped";
        return result;
      case "finished":
        if (action.kind === "start-from" && result.operation.succeeded) memory.startFrom = "Done";
        if (action.kind === "request" && action.request.kind !== "offsets")
          memory.book = { ...memory.book, entries: forgetRestarts(memory.book.entries) };
        await desk.conclude(resource, result.operation, memory, signal);
        return result;
      case "done":
        if (result.echo !== null) memory.echo = result.echo;
        if (action.kind === "update") memory.settling = beginSettling("update", action.cluster.actual, now());
        if (action.kind === "change-state" && action.change === "resume")
          memory.settling = beginSettling("resume", action.cluster.actual, now());
        break;
      case "failed":
        if (action.kind === "request") await desk.noteFailure(resource, action.request, result.error, memory, signal);
        break;
      default:
        throw new Error(`unreachable: ${result satisfies never}`);
    }
    if (action.kind === "auto-restart" && restarts !== null && wasTried(result)) {
      const { instances } = action;
      const entries = noteRestarts(memory.book.entries, instances, { policy: restarts.policy, nowMs: now(), random });
      memory.book = { ...memory.book, entries };
      metrics.autoRestarted(keyOf(resource), instances.length);
      const what = instances.map((id) => (id === "connector" ? "the connector" : `task ${id}`)).slice(0, 10);
      events.record(resource, { type: "Normal", reason: "AutoRestarted", message: `Restarted ${what.join(", ")}.` });
    }
    return result;
  }

  /** A crash between making a connector and setting its first offsets must not start it from elsewhere: the intent comes first. Null: not now. */
  async function announceStart(
    { action, observed, memory }: Step,
    signal: AbortSignal,
  ): Promise<KafkaConnector | null> {
    const { resource } = observed;
    const { startFrom } = resource.spec;
    const there = observed.cluster.kind === "live" && observed.cluster.actual !== null;
    if (startFrom === undefined) memory.startFrom = undefined;
    else if (there && memory.startFrom === undefined) memory.startFrom = "Skipped";
    if (action.kind !== "create" || !action.stopped || resource.status?.startFrom === "Pending") return resource;
    memory.startFrom = "Pending";
    const conditions = toConditions(BEING_MADE, resource.status?.conditions, now());
    const { generation: observedGeneration = 0 } = resource.metadata;
    await statuses.write(
      resource,
      { ...resource.status, conditions, observedGeneration, startFrom: "Pending" },
      signal,
    );
    return statuses.latest(resource);
  }

  return async (key, signal) => {
    const cached = stores.connectors.get(key);
    if (cached === undefined) {
      statuses.forget(memories.forget(key) ?? "");
      deps.sourceWatch?.forget(key);
      return settled;
    }
    const resource = statuses.latest(cached);
    const memory = memories.of(resource);
    const observed = observe(resource, { ...deps, ...stores });
    const deleted = resource.metadata.deletionTimestamp !== undefined;
    if (observed.cluster.kind === "connecting" && !deleted) return retryAfter(CONNECTING_RETRY_MS);
    const wanted = onItsCluster(toWanted(resource), observed, stores.connects);
    const requests = readRequests(resource);
    const quiet = deleted || observed.paused;
    const request = quiet ? null : await desk.pending(resource, requests.next, memory, signal);
    const restarts = lookAtRestarts(observed, memory);
    const sources = quiet
      ? { read: memory.sources, changed: [] }
      : await lookAtSources(observed, wanted, memory, signal);
    const known = knownRefusal(observed, wanted, memory, now());
    const action = plan({
      observed,
      wanted,
      request,
      restarts: restarts?.plan ?? null,
      changedSources: sources.changed,
      startPending: resource.spec.startFrom !== undefined && memory.startFrom === "Pending",
      refused: known !== null,
      echo: memory.echo,
      nowMs: now(),
    });
    if (isDecided(action)) memory.echo = null;
    if (action.kind === "release") {
      await release(observed, wanted, action, signal);
      return settled;
    }
    if (!(await holdFinalizer(resource, action, signal))) return settled;
    const step = { action, observed, wanted, memory };
    const current = await announceStart(step, signal);
    if (current === null) return retryAfter(STATUS_WRITES.everyMs);
    const result = await perform(step, restarts, signal);
    if (READS.has(action.kind) && result.kind !== "failed") memory.sources = sources.read;
    if (action.kind === "reload" && result.kind === "done") {
      const message = `${action.changed.join(", ")} changed: the connector is restarted with its tasks.`;
      events.record(resource, { type: "Normal", reason: "ConfigSourceChanged", message });
    }
    log.debug({ ...key, action: action.kind, result: result.kind }, "connector reconciled");
    if (action.kind === "watch") memory.settling = stillSettling(memory.settling, action.cluster.actual, now());
    tellExhausted(resource, restarts);
    const status = toConnectorStatus({
      observed: { ...observed, resource: current },
      wanted,
      action,
      result,
      refusal: isRefusal(result) ? result : known,
      settling: memory.settling,
      restarts: restarts === null ? null : { ...restarts, book: memory.book.entries },
      annotationProblems: requests.problems,
      operations: memory.operations,
      offsets: isGone(observed) ? undefined : deps.offsetsOf?.(current),
      startFrom: memory.startFrom,
      configSources: memory.sources?.stamp ?? resource.status?.configSources,
      nowMs: now(),
    });
    const writableInMs = await statuses.write(current, status, signal);
    if (result.kind === "failed" && !isConnectError(result.error, "unreachable")) throw result.error;
    const outcome = outcomeOf({ step, result, restarts, nowMs: now() });
    return noLaterThan(outcome, writableInMs);
  };
}

/** One step of one reconcile. */
interface Step {
  readonly action: Action;
  readonly observed: ObservedConnector;
  readonly wanted: WantedConnector;
  readonly memory: Memory;
}

/** Whether its cluster has no such connector, which has come nowhere then. */
function isGone({ cluster }: ObservedConnector): boolean {
  return cluster.kind === "live" && cluster.actual === null;
}

/** Steps after which the connector has, or will have, read what the sources hold now. */
const READS: ReadonlySet<Action["kind"]> = new Set(["create", "update", "reload", "watch", "change-state"] as const);

/** What its cluster makes of the wish: what it does not do, and what a connector of another namespace must not read there. */
function onItsCluster(
  wanted: WantedConnector,
  { resource, cluster, claim }: ObservedConnector,
  connects: ConnectorStores["connects"],
): WantedConnector {
  if (!("namespace" in cluster)) return wanted;
  const { namespace: own = "" } = resource.metadata;
  const connect = connects.get(cluster);
  const places = { own, workers: cluster.namespace };
  return {
    ...wanted,
    problems: [...wanted.problems, ...foreignReferences(wanted.config, sourceProviders(connect), places)],
    warnings: [...wanted.warnings, ...withoutEffectOnJvm(resource, wanted.config, claim.allowed ? connect : undefined)],
  };
}

/** Why the wanted configuration need not be tried again now; null if it may be. */
function knownRefusal(
  { cluster }: ObservedConnector,
  { config, problems }: WantedConnector,
  { refusal }: Memory,
  nowMs: number,
): Refusal | null {
  if (problems.length > 0) return { kind: "invalid", problems, invalidValue: true };
  if (refusal === null || nowMs >= refusal.untilMs || !isSameConfig(refusal.of, config)) return null;
  return "uid" in cluster && cluster.uid === refusal.clusterUid ? refusal.refusal : null;
}

function isRefusal(result: ActResult): result is Refusal {
  return result.kind === "invalid" || result.kind === "unknown-class";
}

/** A worker that was busy or away has restarted nothing. */
function wasTried(result: ActResult): boolean {
  return result.kind !== "failed" || !["conflict", "unreachable"].includes(result.error.code);
}

/** True if the action was decided on what the stream tells, with no echo outstanding. */
function isDecided(action: Action): boolean {
  return !UNDECIDED.has(action.kind);
}

const UNDECIDED: ReadonlySet<Action["kind"]> = new Set([
  "blocked",
  "paused",
  "observe",
  "name-taken",
  "not-allowed",
  "reject",
  "await-move",
  "await-echo",
  "await-removal",
] as const);

interface Ended {
  readonly step: Step;
  readonly result: ActResult;
  readonly restarts: Findings["restarts"];
  readonly nowMs: number;
}

/** Changes come by watch and by event stream; time alone brings only what is named here. */
function outcomeOf({ step: { action, memory }, result, restarts, nowMs }: Ended): Outcome {
  const { echo, settling, refusal } = memory;
  const times: number[] = [];
  if (result.kind === "failed") times.push(nowMs + 1_000);
  if (result.kind === "finished" || result.kind === "skipped") times.push(nowMs + 1_000);
  if (refusal !== null && refusal.untilMs > nowMs) times.push(refusal.untilMs);
  if (action.kind === "await-removal") times.push(nowMs + Math.min(action.remainingMs, 1_000));
  if (action.kind === "await-move" || action.kind === "await-stop") times.push(nowMs + 1_000);
  if (echo !== null && echo.untilMs > nowMs && action.kind !== "watch") times.push(echo.untilMs);
  if (action.kind === "watch" && settling !== null) times.push(settling.untilMs);
  if (action.kind === "auto-restart") times.push(nowMs + 500);
  else if (restarts?.plan.nextAtMs) times.push(restarts.plan.nextAtMs);
  return times.length === 0 ? settled : retryAfter(Math.max(Math.min(...times) - nowMs, 0));
}

function keyOf({ metadata }: KafkaConnector): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}
