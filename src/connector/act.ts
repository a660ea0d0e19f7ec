import type { TargetState } from "@headrace/contract";
import type { KafkaConnector } from "../kinds.ts";
import { type ConnectClient, type ConnectRestError, isConnectError, type Worker } from "../worker/connect-client.ts";
import type { Echo } from "./echo.ts";
import type { InstanceId } from "./instances.ts";
import type { LiveCluster } from "./observe.ts";
import { OffsetsError } from "./offsets-json.ts";
import type { OffsetsStore } from "./offsets-store.ts";
import { carryOut, firstOffsets, type OperationResult, resetBeforeRemoval, startFrom } from "./operation.ts";
import type { Action, StateChange } from "./plan.ts";
import { type Refusal, validateConfig } from "./validation.ts";
import type { WantedConnector } from "./wanted.ts";

/** How an action on a cluster ended. */
export type ActResult =
  /** Done; `echo` is what the stream will tell of it, null if nothing more comes. */
  | { readonly kind: "done"; readonly echo: Echo | null }
  /** A request that is made once has been carried out, or refused. */
  | { readonly kind: "finished"; readonly operation: OperationResult }
  /** There is nothing to begin with, since the connector has offsets already. */
  | { readonly kind: "skipped" }
  | Refusal
  | { readonly kind: "failed"; readonly error: ConnectRestError };

export interface ActContext {
  readonly connect: ConnectClient;
  readonly offsets: OffsetsStore;
  readonly resource: KafkaConnector;
  readonly wanted: WantedConnector;
  readonly nowMs: number;
}

const ECHO_MS = 10_000;
const INITIAL_STATE = { STARTED: "RUNNING", PAUSED: "PAUSED", STOPPED: "STOPPED" } as const;

/** Carries out an action on a cluster; the others need no worker and are done at once. Throws only on abort, KubeError and bugs. */
export async function act(action: Action, context: ActContext, signal: AbortSignal): Promise<ActResult> {
  try {
    return await attempt(action, context, signal);
  } catch (error) {
    if (isConnectError(error)) return { kind: "failed", error };
    throw error;
  }
}

async function attempt(action: Action, context: ActContext, signal: AbortSignal): Promise<ActResult> {
  const { connect, wanted, nowMs } = context;
  const { name, config, target } = wanted;
  const untilMs = nowMs + ECHO_MS;
  switch (action.kind) {
    case "create": {
      const { worker, uid: clusterUid } = action.cluster;
      const refused =
        (await checkStart(action.stopped, context, signal)) ??
        (await validateConfig(worker, { connect, config }, signal));
      if (refused !== null) return refused;
      const initialState = action.stopped ? "STOPPED" : INITIAL_STATE[target];
      await connect.create(worker, { name, config, initialState }, signal);
      return { kind: "done", echo: { of: "create", clusterUid, untilMs, config } };
    }
    case "update": {
      const { worker, uid: clusterUid } = action.cluster;
      const refused = await validateConfig(worker, { connect, config }, signal);
      if (refused !== null) return refused;
      await connect.putConfig(worker, name, config, signal);
      return { kind: "done", echo: { of: "update", clusterUid, untilMs, config } };
    }
    case "change-state":
      return await changeState(action.cluster, action, context, signal);
    case "stop-away": {
      const refused = await validateConfig(action.cluster.worker, { connect, config }, signal);
      return refused ?? (await changeState(action.from, STOP, context, signal));
    }
    case "stop-deleted":
      return await changeState(action.owner, STOP, context, signal);
    case "start-from": {
      const operation = await startFrom({ ...context, worker: action.cluster.worker }, signal);
      return operation === "skipped" ? { kind: "skipped" } : { kind: "finished", operation };
    }
    case "request": {
      const operation = await carryOut(action.request, { ...context, worker: action.cluster.worker }, signal);
      return { kind: "finished", operation };
    }
    case "reload":
      await connect.restart(action.cluster.worker, name, { includeTasks: true, onlyFailed: false }, signal);
      return { kind: "done", echo: null };
    case "auto-restart":
      await restartFailed(action.cluster.worker, action, context, signal);
      return { kind: "done", echo: null };
    case "remove":
    case "move-away": {
      const { worker, uid: clusterUid } = action.kind === "remove" ? action.owner : action.from;
      if (action.kind === "remove" && action.resetOffsets)
        await resetBeforeRemoval(name, { ...context, worker }, signal);
      await connect.remove(worker, name, signal);
      return { kind: "done", echo: { of: "remove", clusterUid, untilMs } };
    }
    case "blocked":
    case "paused":
    case "observe":
    case "name-taken":
    case "not-allowed":
    case "reject":
    case "await-move":
    case "await-stop":
    case "await-echo":
    case "await-removal":
    case "watch":
    case "release":
      return { kind: "done", echo: null };
    default:
      throw new Error(`unreachable: ${action satisfies never}`);
  }
}

const STOP = { change: "stop", target: "STOPPED" } as const;

async function changeState(
  { worker, uid: clusterUid }: LiveCluster,
  { change, target }: { readonly change: StateChange; readonly target: TargetState },
  { connect, wanted, nowMs }: ActContext,
  signal: AbortSignal,
): Promise<ActResult> {
  await connect.changeState(worker, wanted.name, change, signal);
  return { kind: "done", echo: { of: "change-state", clusterUid, untilMs: nowMs + ECHO_MS, target } };
}

/** One request where it is all that failed; otherwise one for each, so that those whose time has not come are left alone. */
async function restartFailed(
  worker: Worker,
  { instances, all }: { readonly instances: readonly InstanceId[]; readonly all: boolean },
  { connect, wanted }: ActContext,
  signal: AbortSignal,
): Promise<void> {
  if (all) return await connect.restart(worker, wanted.name, { includeTasks: true, onlyFailed: true }, signal);
  for (const id of instances) {
    if (id === "connector") {
      await connect.restart(worker, wanted.name, { includeTasks: false, onlyFailed: true }, signal);
    } else await connect.restartTask(worker, wanted.name, id, signal);
  }
}

/** The first offsets are looked at before the connector is made, or it would wait, stopped, for offsets that cannot be set. */
async function checkStart(
  needed: boolean,
  { resource, offsets }: ActContext,
  signal: AbortSignal,
): Promise<Refusal | null> {
  if (!needed) return null;
  try {
    await firstOffsets(resource, offsets, signal);
    return null;
  } catch (error) {
    if (!(error instanceof OffsetsError)) throw error;
    return { kind: "invalid", problems: [{ key: "spec.startFrom", message: error.message }] };
  }
}
