import { CONNECTOR_FINALIZER, type KafkaConnectorStatus } from "@headrace/contract";
import type { Logger } from "pino";
import { type ConnectClient, isConnectError } from "../connect-client.ts";
import type { Reconcile } from "../controller/controller.ts";
import { type Outcome, retryAfter, settled } from "../controller/outcome.ts";
import { type KafkaConnector, KafkaConnectors } from "../kinds.ts";
import type { EventRecorder, KubeClient, ObjectKey } from "../kube/client.ts";
import { addFinalizer, removeFinalizer } from "../kube/finalizer.ts";
import { createStatusWriter } from "../status-writer.ts";
import { type ActResult, act } from "./act.ts";
import type { ClusterView } from "./event-stream.ts";
import { type ConnectorStores, observe } from "./observe.ts";
import { type Action, type Echo, needsFinalizer, plan } from "./plan.ts";
import { type RestartRequest, restartRequest } from "./restart.ts";
import { beginSettling, type Settling, stillSettling } from "./settling.ts";
import { toConnectorStatus } from "./status.ts";
import { isSameConfig, toWanted, type WantedConnector } from "./wanted.ts";

export interface ConnectorReconcileDeps {
  readonly kube: KubeClient;
  readonly connect: ConnectClient;
  readonly stores: ConnectorStores;
  readonly viewOf: (cluster: ObjectKey) => ClusterView;
  readonly events: EventRecorder;
  readonly log: Logger;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
}

/** What is kept between reconciles of one connector; losing it costs repeated calls, never a wrong step. */
interface Memory {
  readonly uid: string;
  echo: Echo | null;
  settling: Settling | null;
  /** A refusal, so that the same is not asked again at every event. */
  refusal: { readonly of: WantedConnector; readonly result: ActResult; readonly untilMs: number } | null;
  /** The restart annotation that was obeyed last and may still be in the cache. */
  restarted: { readonly request: RestartRequest; readonly untilMs: number } | null;
}

const REFUSED_RETRY_MS = 30_000;
const RESTARTED_MS = 10_000;
const CONNECTING_RETRY_MS = 1_000;

/** Reconciles a KafkaConnector: observe, plan, act, write the status if it changed. */
export function createConnectorReconcile(deps: ConnectorReconcileDeps): Reconcile {
  const { kube, connect, stores, viewOf, events, log, now } = deps;
  const statuses = createStatusWriter<KafkaConnectorStatus>(kube, KafkaConnectors);
  const memories = new Map<string, Memory>();

  function memoryOf({ metadata }: KafkaConnector): Memory {
    const id = `${metadata.namespace}/${metadata.name}`;
    const { uid = "" } = metadata;
    const known = memories.get(id);
    if (known?.uid === uid) return known;
    const memory = { uid, echo: null, settling: null, refusal: null, restarted: null };
    memories.set(id, memory);
    return memory;
  }

  function forget({ namespace, name }: ObjectKey): void {
    const id = `${namespace}/${name}`;
    statuses.forget(memories.get(id)?.uid ?? "");
    memories.delete(id);
  }

  /** Answers false if the resource is gone. */
  async function holdFinalizer(resource: KafkaConnector, action: Action, signal: AbortSignal): Promise<boolean> {
    if (!needsFinalizer(action)) return true;
    return (await addFinalizer(kube, KafkaConnectors, resource, CONNECTOR_FINALIZER, signal)) !== null;
  }

  async function release(resource: KafkaConnector, left: string | null, signal: AbortSignal): Promise<void> {
    if (left !== null) events.record(resource, { type: "Warning", reason: "ConnectorLeftBehind", message: left });
    await removeFinalizer(kube, KafkaConnectors, resource, CONNECTOR_FINALIZER, signal);
  }

  /** Removes the annotation that asked for a restart, so that it happens once. */
  async function acknowledge(resource: KafkaConnector, request: RestartRequest, signal: AbortSignal): Promise<void> {
    const { name, namespace = "", uid } = resource.metadata;
    const patch = { metadata: { uid, annotations: { [request.annotation]: null } } };
    await kube.patch(KafkaConnectors, { namespace, name }, patch, signal);
  }

  async function perform(
    { action, wanted, memory }: { action: Action; wanted: WantedConnector; memory: Memory },
    signal: AbortSignal,
  ): Promise<ActResult> {
    const refusal = memory.refusal;
    const known = refusal !== null && now() < refusal.untilMs && isSameConfig(refusal.of.config, wanted.config);
    if (known && (action.kind === "create" || action.kind === "update")) return refusal.result;
    memory.refusal = null;
    const result = await act(action, { connect, wanted, nowMs: now() }, signal);
    switch (result.kind) {
      case "invalid":
      case "unknown-class":
        memory.refusal = { of: wanted, result, untilMs: now() + REFUSED_RETRY_MS };
        return result;
      case "done":
        if (result.echo !== null) memory.echo = result.echo;
        if (action.kind === "update") memory.settling = beginSettling("update", action.cluster.actual, now());
        if (action.kind === "change-state" && action.change === "resume")
          memory.settling = beginSettling("resume", action.cluster.actual, now());
        return result;
      case "failed":
        return result;
      default:
        throw new Error(`unreachable: ${result satisfies never}`);
    }
  }

  return async (key, signal) => {
    const cached = stores.connectors.get(key);
    if (cached === undefined) {
      forget(key);
      return settled;
    }
    const resource = statuses.latest(cached);
    const memory = memoryOf(resource);
    const observed = observe(resource, stores.connects, viewOf);
    if (observed.cluster.kind === "connecting" && resource.metadata.deletionTimestamp === undefined) {
      return retryAfter(CONNECTING_RETRY_MS);
    }
    const wanted = toWanted(resource);
    const restart = pendingRestart(restartRequest(resource), memory, now());
    const action = plan({ observed, wanted, restart, echo: memory.echo, nowMs: now() });
    if (isDecided(action)) memory.echo = null;
    if (action.kind === "release") {
      await release(resource, action.left, signal);
      return settled;
    }
    if (!(await holdFinalizer(resource, action, signal))) return settled;
    const result = await perform({ action, wanted, memory }, signal);
    log.debug({ ...key, action: action.kind, result: result.kind }, "connector reconciled");
    if (action.kind === "restart" && result.kind === "done" && action.request.kind !== "unknown") {
      memory.restarted = { request: action.request, untilMs: now() + RESTARTED_MS };
      await acknowledge(resource, action.request, signal);
    }
    if (action.kind === "watch") memory.settling = stillSettling(memory.settling, action.cluster.actual, now());
    const { settling } = memory;
    const status = toConnectorStatus({ observed, wanted, action, result, settling, nowMs: now() });
    await statuses.write(resource, status, signal);
    if (result.kind === "failed" && !isConnectError(result.error, "unreachable")) throw result.error;
    return outcomeOf({ action, result, memory, nowMs: now() });
  };
}

/** An annotation that was obeyed moments ago may only be in the cache still. */
function pendingRestart(request: RestartRequest | null, { restarted }: Memory, nowMs: number): RestartRequest | null {
  if (request === null || restarted === null || nowMs >= restarted.untilMs) return request;
  return JSON.stringify(request) === JSON.stringify(restarted.request) ? null : request;
}

/** True if the action was decided on what the stream tells, with no echo outstanding. */
function isDecided(action: Action): boolean {
  return !["blocked", "reject", "await-move", "await-echo", "await-removal"].includes(action.kind);
}

interface Ended {
  readonly action: Action;
  readonly result: ActResult;
  readonly memory: Memory;
  readonly nowMs: number;
}

/** Changes come by watch and by event stream; time alone brings only what is named here. */
function outcomeOf({ action, result, memory, nowMs }: Ended): Outcome {
  if (result.kind === "failed") return retryAfter(1_000);
  if (result.kind === "invalid" || result.kind === "unknown-class") return retryAfter(REFUSED_RETRY_MS);
  if (action.kind === "await-removal") return retryAfter(Math.min(action.remainingMs, 1_000));
  const { echo, settling } = memory;
  if (echo !== null && echo.untilMs > nowMs && action.kind !== "watch") return retryAfter(echo.untilMs - nowMs);
  if (action.kind === "watch" && settling !== null) return retryAfter(settling.untilMs - nowMs);
  if (action.kind === "await-move") return retryAfter(1_000);
  return settled;
}
