import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const TIMEOUT_MS = 60_000;
/** A JVM worker refuses changes while its group rebalances. */
const CONFLICT = 409;
const CONFLICT_PAUSE_MS = 100;

/** Creates a connector over REST, again and again for a minute while the group rebalances. Throws with the worker's answer if it is refused. */
export async function createConnector(
  url: string,
  name: string,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  for (;;) {
    const response = await fetch(`${url}/connectors/${name}/config`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(config),
      signal,
    });
    const text = await response.text();
    if (response.ok) return;
    if (response.status !== CONFLICT) throw new Error(`${name}: ${response.status} ${text}`);
    await sleep(CONFLICT_PAUSE_MS, undefined, { signal });
  }
}

/** Waits until a worker knows a connector no more; for the next one of the same work. */
export async function deleteConnector(url: string, name: string): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  for (;;) {
    const { ok, status } = await fetch(`${url}/connectors/${name}`, { method: "DELETE", signal });
    if (ok || status === 404) return;
    if (status !== CONFLICT) throw new Error(`${name} could not be deleted: ${status}`);
    await sleep(CONFLICT_PAUSE_MS, undefined, { signal });
  }
}

const State = z.object({ state: z.string(), worker_id: z.string() });
const Statuses = z.record(
  z.string(),
  z.object({ status: z.object({ connector: State, tasks: z.array(State.extend({ id: z.number() })) }) }),
);

/** A task of a connector and where it runs. */
export interface TaskPlace {
  readonly connector: string;
  readonly state: string;
  readonly workerId: string;
}

/** All tasks of a group as one worker tells; null while it does not. */
export async function listTasks(url: string): Promise<readonly TaskPlace[] | null> {
  const response = await fetch(`${url}/connectors?expand=status`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) {
    await response.body?.cancel();
    return null;
  }
  return Object.entries(Statuses.parse(await response.json())).flatMap(([connector, { status }]) =>
    status.tasks.map(({ state, worker_id }) => ({ connector, state, workerId: worker_id })),
  );
}

/** Waits until as many tasks run, and fails after `limitMs`. */
export async function waitForTasks(url: string, count: number, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const tasks = (await listTasks(url)) ?? [];
    const running = tasks.filter(({ state }) => state === "RUNNING").length;
    if (running === count && tasks.length === count) return;
    if (performance.now() > deadline) throw new Error(`${running} of ${count} tasks run after ${limitMs / 1000} s`);
    await sleep(100);
  }
}
