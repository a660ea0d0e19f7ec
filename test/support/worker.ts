import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { repoRoot } from "#dev/cache.ts";
import { freePorts, type LocalProcess, logTail, startProcess } from "#dev/process.ts";
import { eventually, Stop } from "./eventually.ts";

/** A real Headrace worker as a process of its own. */
export interface TestWorker {
  readonly url: string;
  readonly workerId: string;
  readonly process: LocalProcess;
}

/**
 * Properties that make a worker of `group`, with the three topics named after it, on one broker. Its session and the time that tasks have to
 * stop are longer than a machine under load stands still: what is lost or repeated then is told from what a test looks for.
 */
export function groupProperties(bootstrap: string, group: string): Record<string, string> {
  return {
    "bootstrap.servers": bootstrap,
    "group.id": group,
    "config.storage.topic": `${group}-configs`,
    "offset.storage.topic": `${group}-offsets`,
    "status.storage.topic": `${group}-status`,
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    "scheduled.rebalance.max.delay.ms": "0",
    "offset.flush.interval.ms": "1000",
    "session.timeout.ms": "30000",
    "task.shutdown.graceful.timeout.ms": "30000",
  };
}

/** A worker is there within two seconds, unless many start at once on few processors. */
const START_MS = 180_000;

/** Node's arguments for a worker as tests run it: from its sources. */
export const FROM_SOURCES: readonly string[] = ["--conditions=source", join(repoRoot, "runtime/src/main.ts")];

/** Starts a worker and resolves when it is a healthy member of its group. Fails with the end of its log otherwise. */
export async function startWorker(options: {
  readonly dir: string;
  /** Node's arguments up to the worker's script. Default: the sources. */
  readonly program?: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<TestWorker> {
  const port = options.port ?? (await freePorts(1))[0];
  if (port === undefined) throw new Error("no free port");
  mkdirSync(options.dir, { recursive: true });
  const file = join(options.dir, `worker-${port}.properties`);
  const properties = {
    listeners: `http://127.0.0.1:${port}`,
    "rest.advertised.host.name": "127.0.0.1",
    "rest.advertised.port": String(port),
    ...options.properties,
  };
  writeFileSync(
    file,
    `${Object.entries(properties)
      .map(([key, value]) => `${key}=${value}`)
      .join("\n")}\n`,
  );
  const process_ = await startProcess({
    name: `worker ${port}`,
    command: process.execPath,
    args: [...(options.program ?? FROM_SOURCES), "distributed", file],
    logFile: join(options.dir, `worker-${port}.log`),
    ...(options.env !== undefined && { env: options.env }),
  });
  const url = `http://127.0.0.1:${port}`;
  const healthy = async () => {
    if (!process_.running()) throw new Stop(`the worker ended:\n${logTail(process_.logFile, 60)}`);
    return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) })).ok;
  };
  await eventually(`worker ${url} healthy`, healthy, START_MS).catch((error: unknown) => {
    throw new Error(`worker did not start:\n${logTail(process_.logFile, 60)}`, { cause: error });
  });
  return { url, workerId: `127.0.0.1:${port}`, process: process_ };
}

/** One REST call; resolves with status and parsed body (null if there is none). */
export async function rest(
  url: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

/**
 * Creates a connector. A JVM worker that has just heard of another one expects a rebalance and refuses (409, "a rebalance is expected"); as
 * clients of Connect do, it is asked again.
 */
export async function createConnector(
  url: string,
  name: string,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  for (const deadline = performance.now() + 120_000; ; await sleep(100)) {
    const { status, body } = await rest(url, "POST", "/connectors", { name, config });
    if (status === 201) return;
    const answer = `POST ${name} answered ${status} ${JSON.stringify(body)}`;
    if (status !== 409 || !answer.includes("rebalance") || performance.now() > deadline) throw new Error(answer);
  }
}
