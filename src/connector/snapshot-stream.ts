import type { StreamEvent } from "@headrace/contract";
import { type ConnectClient, isConnectError, type Worker } from "../worker/connect-client.ts";
import { countTaskless, isAtRest, type TasklessLooks, toSnapshots } from "./snapshots.ts";

export interface SnapshotStreamOptions {
  readonly connect: Pick<ConnectClient, "expanded" | "topics">;
  readonly worker: Worker;
  /** Waits, until somebody has changed something at the latest; does not throw. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How often a cluster is asked while something is on its way, and while nothing is. */
const BUSY_POLL_MS = 1_000;
const IDLE_POLL_MS = 5_000;

/**
 * Tells of the connectors of a JVM worker's cluster by asking for all of them again and again: one call for the cluster each time, and one
 * for the topics of one connector, each in its turn. Throws ConnectRestError when the worker does not answer.
 */
export async function* snapshotStream(
  { connect, worker, pause }: SnapshotStreamOptions,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  const topics = new Map<string, readonly string[]>();
  const asked: string[] = [];
  let taskless: TasklessLooks = new Map();
  while (!signal.aborted) {
    const expanded = await connect.expanded(worker, signal);
    const names = Object.keys(expanded);
    for (const gone of [...topics.keys()].filter((name) => !names.includes(name))) topics.delete(gone);
    taskless = countTaskless(expanded, taskless);
    const connectors = toSnapshots(expanded, { topics, taskless });
    yield { kind: "snapshot", workerId: `${worker.ip}:8083`, connectors };
    const next = nextOf(names, asked);
    if (next !== undefined) {
      const found = await topicsOf(connect, worker, next, signal);
      if (found !== null) topics.set(next, found);
    }
    await pause(isAtRest(connectors) ? IDLE_POLL_MS : BUSY_POLL_MS, signal);
  }
}

/** The connector whose topics were asked for longest ago; takes it to the end of `asked`. */
function nextOf(names: readonly string[], asked: string[]): string | undefined {
  const next = names.find((name) => !asked.includes(name)) ?? asked.find((name) => names.includes(name));
  if (next === undefined) return undefined;
  const rest = asked.filter((name) => name !== next && names.includes(name));
  asked.splice(0, asked.length, ...rest, next);
  return next;
}

/** Null if they cannot be told: tracking is switched off, or the connector is just going. */
async function topicsOf(
  connect: SnapshotStreamOptions["connect"],
  worker: Worker,
  connector: string,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  try {
    return await connect.topics(worker, connector, signal);
  } catch (error) {
    if (isConnectError(error, "not-found", "rejected", "failed")) return null;
    throw error;
  }
}
