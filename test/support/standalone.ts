import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "#dev/cache.ts";
import { freePorts, type LocalProcess, logTail, startProcess } from "#dev/process.ts";
import { eventually, Stop } from "./eventually.ts";

export interface StandaloneRun {
  readonly dir: string;
  readonly properties: Readonly<Record<string, string>>;
  /** Of connectors. */
  readonly files: readonly string[];
}

const MAIN = join(repoRoot, "runtime/src/main.ts");

function write({ dir, properties }: StandaloneRun, more: Readonly<Record<string, string>> = {}): string {
  const file = join(dir, `standalone-${Math.random().toString(36).slice(2)}.properties`);
  const lines = Object.entries({ ...more, ...properties }).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(file, lines.join(""));
  return file;
}

interface RunningStandalone {
  readonly url: string;
  readonly process: LocalProcess;
  readonly stop: () => Promise<void>;
}

/** Starts a standalone worker and resolves when it is healthy, its connectors created. */
export async function startStandalone(run: StandaloneRun): Promise<RunningStandalone> {
  const [port = 0] = await freePorts(1);
  const listener = { listeners: `http://127.0.0.1:${port}`, "rest.advertised.host.name": "127.0.0.1" };
  return await startStandaloneFile(write(run, listener), port, run.files);
}

/** The same with a file that says that it listens on `port`. */
export async function startStandaloneFile(
  file: string,
  port: number,
  connectorFiles: readonly string[] = [],
): Promise<RunningStandalone> {
  const url = `http://127.0.0.1:${port}`;
  const worker = await startProcess({
    name: `standalone worker ${port}`,
    command: process.execPath,
    args: ["--conditions=source", MAIN, "standalone", file, ...connectorFiles],
    logFile: `${file}.log`,
  });
  await eventually(`standalone worker ${url} healthy`, async () => {
    if (!worker.running()) throw new Stop(`the worker ended:\n${logTail(worker.logFile, 60)}`);
    return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) })).ok;
  }).catch((error: unknown) => {
    throw new Error(`worker did not start:\n${logTail(worker.logFile, 60)}`, { cause: error });
  });
  return { url, process: worker, stop: async () => void (await worker.stop(60_000)) };
}

/** Runs a standalone worker to its end. */
export function runStandalone(
  run: StandaloneRun,
): Promise<{ readonly code: number | string; readonly output: string }> {
  return new Promise((resolve) => {
    const args = ["--conditions=source", MAIN, "standalone", write(run), ...run.files];
    execFile(process.execPath, args, { timeout: 180_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? "killed"), output: stdout + stderr }),
    );
  });
}
