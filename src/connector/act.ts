import type { ConfigInfos, ConfigValueProblem } from "@headrace/contract";
import { type ConnectClient, type ConnectRestError, isConnectError, type Worker } from "../connect-client.ts";
import type { Action, Echo } from "./plan.ts";
import type { WantedConnector } from "./wanted.ts";

/** How an action on a cluster ended. */
export type ActResult =
  /** Done; `echo` is what the stream will tell of it, null if nothing more comes. */
  | { readonly kind: "done"; readonly echo: Echo | null }
  /** The workers have no such connector plugin. */
  | { readonly kind: "unknown-class" }
  /** The plugin does not accept the configuration. */
  | { readonly kind: "invalid"; readonly problems: readonly ConfigValueProblem[] }
  | { readonly kind: "failed"; readonly error: ConnectRestError };

export interface ActContext {
  readonly connect: ConnectClient;
  readonly wanted: WantedConnector;
  readonly nowMs: number;
}

const ECHO_MS = 10_000;
const INITIAL_STATE = { STARTED: "RUNNING", PAUSED: "PAUSED", STOPPED: "STOPPED" } as const;

/** Carries out an action on a cluster; the others need no worker and are done at once. Throws only on abort and on bugs. */
export async function act(action: Action, context: ActContext, signal: AbortSignal): Promise<ActResult> {
  try {
    return await attempt(action, context, signal);
  } catch (error) {
    if (isConnectError(error)) return { kind: "failed", error };
    throw error;
  }
}

async function attempt(
  action: Action,
  { connect, wanted, nowMs }: ActContext,
  signal: AbortSignal,
): Promise<ActResult> {
  const { name, config, target } = wanted;
  const untilMs = nowMs + ECHO_MS;
  switch (action.kind) {
    case "create": {
      const { worker, uid: clusterUid } = action.cluster;
      const refused = await validate(connect, { worker, wanted }, signal);
      if (refused !== null) return refused;
      await connect.create(worker, { name, config, initialState: INITIAL_STATE[target] }, signal);
      return { kind: "done", echo: { of: "create", clusterUid, untilMs, config } };
    }
    case "update": {
      const { worker, uid: clusterUid } = action.cluster;
      const refused = await validate(connect, { worker, wanted }, signal);
      if (refused !== null) return refused;
      await connect.putConfig(worker, name, config, signal);
      return { kind: "done", echo: { of: "update", clusterUid, untilMs, config } };
    }
    case "change-state": {
      const { worker, uid: clusterUid } = action.cluster;
      await connect.changeState(worker, name, action.change, signal);
      return { kind: "done", echo: { of: "change-state", clusterUid, untilMs, target } };
    }
    case "restart": {
      const { request, cluster } = action;
      if (request.kind === "connector") await connect.restart(cluster.worker, name, request.scope, signal);
      if (request.kind === "task") await connect.restartTask(cluster.worker, name, request.task, signal);
      return { kind: "done", echo: null };
    }
    case "remove":
    case "move-away": {
      const { worker, uid: clusterUid } = action.kind === "remove" ? action.owner : action.from;
      await connect.remove(worker, name, signal);
      return { kind: "done", echo: { of: "remove", clusterUid, untilMs } };
    }
    case "blocked":
    case "reject":
    case "await-move":
    case "await-echo":
    case "await-removal":
    case "watch":
    case "release":
      return { kind: "done", echo: null };
    default:
      throw new Error(`unreachable: ${action satisfies never}`);
  }
}

/** Asks the running plugin about a configuration before anything is touched. Null: it is accepted. */
async function validate(
  connect: ConnectClient,
  { worker, wanted }: { readonly worker: Worker; readonly wanted: WantedConnector },
  signal: AbortSignal,
): Promise<ActResult | null> {
  const plugin = wanted.config["connector.class"] ?? "";
  try {
    const problems = problemsIn(await connect.validate(worker, plugin, wanted.config, signal));
    return problems.length === 0 ? null : { kind: "invalid", problems };
  } catch (error) {
    if (!isConnectError(error, "not-found", "rejected", "failed")) throw error;
    if (!(await connect.hasPlugin(worker, plugin, signal))) return { kind: "unknown-class" };
    throw error;
  }
}

function problemsIn({ configs }: ConfigInfos): readonly ConfigValueProblem[] {
  return configs.flatMap(({ value }) => value.errors.map((message) => ({ key: value.name, message })));
}
