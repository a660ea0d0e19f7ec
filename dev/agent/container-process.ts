import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { killMarked, markedProcesses, markOf, sendSignal } from "../process-table.ts";
import { RUN_MARK } from "../test/run-mark.ts";

/** The variable that marks every process of a container; its value is the directory of that run of the container. */
export const CONTAINER_MARK = "HEADRACE_CONTAINER";

const SHIM = fileURLToPath(new URL("shim.sh", import.meta.url));
/** Exit code of a container whose end nobody saw, as the kubelet gives it (ContainerStatusUnknown). */
const UNKNOWN_EXIT_CODE = 137;
const START_TIMEOUT_MS = 30_000;
const ADOPTED_POLL_MS = 200;

/** How one run of a container ended. */
export interface ContainerExit {
  readonly exitCode: number;
  /** false: nobody was there to see it end, so the exit code is a guess. */
  readonly seen: boolean;
  readonly finishedAt: Date;
}

/**
 * One run of a container as local processes.
 *
 * Guarantees: when `exited` resolves, no process of the run is left, those included that moved to another process group. The processes
 * survive the agent; {@link adoptContainerProcess} finds them again.
 */
export interface ContainerProcess {
  /** Id of the main process. */
  readonly pid: number;
  readonly startedAt: Date;
  readonly exited: Promise<ContainerExit>;
  /** To the main process only, as a container runtime does. */
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL to all processes of the run; the shim ends by itself then, having seen the main one's end. */
  kill(): void;
}

/** Starts a run. `dir` must be new; `env` is the whole environment. Throws if the command is not found. */
export async function startContainerProcess(options: {
  readonly dir: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logFile: string;
}): Promise<ContainerProcess> {
  const { dir, command, env, cwd, logFile } = options;
  mkdirSync(dir, { recursive: true });
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, "a");
  const run = process.env[RUN_MARK];
  const shim = spawn("/bin/sh", [SHIM, dir, ...command], {
    cwd,
    env: { ...env, [CONTAINER_MARK]: dir, ...(run !== undefined && { [RUN_MARK]: run }) },
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => shim.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    shim.once("spawn", resolve);
    shim.once("error", reject);
  });
  shim.unref();
  const pid = await waitForNumber(join(dir, "pid"), ended);
  return toProcess(dir, pid, ended);
}

/**
 * Takes over a run that an earlier agent started: its processes if the main one lives, otherwise how it ended. What is left of a run
 * without its main process is killed.
 */
export async function adoptContainerProcess(dir: string): Promise<ContainerProcess | ContainerExit> {
  const shim = readNumber(join(dir, "shim"));
  const pid = readNumber(join(dir, "pid"));
  const alive = () => shim !== undefined && markOf(shim, CONTAINER_MARK) === dir;
  if (pid === undefined || !alive()) return await finish(dir);
  return toProcess(
    dir,
    pid,
    pollUntil(() => !alive()),
  );
}

/** SIGKILLs all container processes below `dir` and waits until they are gone. */
export async function killContainersBelow(dir: string): Promise<void> {
  await killMarked(CONTAINER_MARK, (value) => value.startsWith(`${dir}/`));
}

function toProcess(dir: string, pid: number, ended: Promise<void>): ContainerProcess {
  const pidFile = join(dir, "pid");
  let killed = false;
  return {
    pid,
    startedAt: existsSync(pidFile) ? statSync(pidFile).mtime : new Date(),
    exited: ended.then(() => finish(dir)).then((exit) => ({ ...exit, seen: exit.seen || killed })),
    signal: (signal) => {
      if (markOf(pid, CONTAINER_MARK) === dir) sendSignal(pid, signal);
    },
    kill: () => {
      killed = true;
      const shim = readNumber(join(dir, "shim"));
      for (const marked of markedProcesses(CONTAINER_MARK, (value) => value === dir)) {
        if (marked !== shim) sendSignal(marked, "SIGKILL");
      }
    },
  };
}

async function finish(dir: string): Promise<ContainerExit> {
  await killMarked(CONTAINER_MARK, (value) => value === dir);
  const file = join(dir, "exit");
  const exitCode = readNumber(file);
  if (exitCode === undefined) return { exitCode: UNKNOWN_EXIT_CODE, seen: false, finishedAt: new Date() };
  return { exitCode, seen: true, finishedAt: statSync(file).mtime };
}

/** The number in a file, undefined while there is none. */
function readNumber(file: string): number | undefined {
  try {
    const text = readFileSync(file, "utf8");
    return text.endsWith("\n") ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/** The main process's id; -1 if the shim ended before it could write one. */
async function waitForNumber(file: string, ended: Promise<void>): Promise<number> {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const number = readNumber(file);
    if (number !== undefined) return number;
    if (over) return -1;
    if (performance.now() > deadline)
      throw new Error(`the container's process did not start within ${START_TIMEOUT_MS} ms`);
    await sleep(2);
  }
}

async function pollUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(ADOPTED_POLL_MS);
}
