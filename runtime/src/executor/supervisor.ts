import { type ChildProcess, fork } from "node:child_process";
import { ConnectError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ExecutorCalls, ExecutorNotice, ExecutorSetup, WorkerCalls, WorkerNotice } from "./channel.ts";
import { watchExecutor } from "./liveness.ts";
import { connectRpc, type Handlers, ipcPort, type Rpc } from "./rpc.ts";

/** How one executor process is started and watched. */
export interface SupervisorOptions {
  /** Path of the executor's main module. */
  readonly script: string;
  readonly execArgv: readonly string[];
  /** May come later than the process, which does what it can until then. */
  readonly setup: ExecutorSetup | Promise<ExecutorSetup>;
  readonly handlers: Handlers<WorkerCalls>;
  readonly onNotice: (notice: ExecutorNotice) => void;
  /** The executor is killed if its event loop answers no ping for so long. */
  readonly blockedTimeoutMs: number;
  /** The executor is killed if it takes so long to load its code, or to be set up after that; one minute if not given. */
  readonly setupTimeoutMs?: number;
  /** The executor is killed if it uses more resident memory twice in a row; null: no limit. */
  readonly memoryMaxBytes: number | null;
  readonly log: Logger;
}

/** One executor process, from its fork to its end. */
export interface Supervisor {
  readonly pid: number;
  /** Calls may be sent once `ready` has resolved; they reject with `executor-gone` when the process ends. */
  readonly rpc: Rpc<ExecutorCalls, WorkerNotice>;
  /** Resolves when the executor is set up; rejects with `executor-gone` if it ends before. */
  readonly ready: Promise<void>;
  /** Resolves with the reason when the process has ended for certain. Never rejects. */
  readonly gone: Promise<string>;
  /** Resident memory, as it last told; 0 before. */
  memoryBytes(): number;
  /** Its event loop has not answered for a while: what is asked of it now may have to wait for its end. */
  isBlocked(): boolean;
  /** Kills it at once. The first reason counts. */
  kill(reason: string): void;
  /** Lets it end by itself: closes the channel, kills it after a second. */
  close(): Promise<void>;
}

const SETUP_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 1_000;
/** A ping that stays unanswered for so long means that something holds up the event loop. */
const BLOCKED_AFTER_MS = 1_000;

/** Forks an executor and watches it. */
export function startExecutor(options: SupervisorOptions): Supervisor {
  const child = fork(options.script, [], {
    serialization: "advanced",
    execArgv: [...options.execArgv],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const pid = child.pid ?? 0;
  const log = options.log.child({ executor: pid });
  let reason: string | null = null;
  let memoryBytes = 0;
  let pingedAtMs: number | null = null;
  const kill = (why: string) => {
    reason ??= why;
    child.kill("SIGKILL");
  };

  const gone = ended(child).then((how) => {
    watch.abort();
    return reason ?? `executor process ${pid} ${how}`;
  });
  const watch = new AbortController();
  const rpc = connectRpc<ExecutorCalls, WorkerNotice, WorkerCalls, ExecutorNotice>({
    port: ipcPort(child),
    handlers: options.handlers,
    // What a process sent before it was killed must not look like news of its successor.
    onNotice: (notice) => {
      if (reason === null) options.onNotice(notice);
    },
  });
  // A process that has closed its channel can no longer be told to stop.
  rpc.closed.addEventListener("abort", () => child.kill("SIGKILL"), { once: true });

  const ready = setUp(rpc, { ...options, pid }).then((features) => {
    log.info({ features }, "executor started");
    const { blockedTimeoutMs, memoryMaxBytes } = options;
    const pinged = () => {
      pingedAtMs = performance.now();
    };
    const tell = (bytes: number) => {
      pingedAtMs = null;
      memoryBytes = bytes;
    };
    const ping = (deadline: AbortSignal) => rpc.call("ping", null, deadline);
    const { closed } = rpc;
    void watchExecutor({ ping, closed, blockedTimeoutMs, memoryMaxBytes, pinged, tell, kill }, watch.signal);
  });
  ready.catch((error: unknown) => {
    kill(
      error instanceof SetupTimeout
        ? error.message
        : `executor process ${pid} could not be set up: ${messageOf(error)}`,
    );
  });

  return {
    pid,
    rpc,
    ready,
    gone,
    memoryBytes: () => memoryBytes,
    isBlocked: () => pingedAtMs !== null && performance.now() - pingedAtMs > BLOCKED_AFTER_MS,
    kill,
    async close() {
      reason ??= "closed";
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
      await gone;
      clearTimeout(timer);
    },
  };
}

/** An executor that is too slow is ended, and told as one that has: what was to run in it is started again. */
class SetupTimeout extends ConnectError {
  constructor(pid: number, what: string, timeoutMs: number) {
    const advice =
      "the machine is too busy or short of memory for it; give the worker more CPU or memory, or fewer executors (headrace.executors.max)";
    super("executor-gone", `executor process ${pid} ${what} within ${timeoutMs / 1000} s: ${advice}`);
  }
}

async function setUp(
  rpc: Rpc<ExecutorCalls, WorkerNotice>,
  options: Pick<SupervisorOptions, "setup" | "setupTimeoutMs"> & { readonly pid: number },
): Promise<readonly string[]> {
  const { setup, setupTimeoutMs = SETUP_TIMEOUT_MS, pid } = options;
  async function inTime<R>(what: string, call: (deadline: AbortSignal) => Promise<R>): Promise<R> {
    const deadline = AbortSignal.timeout(setupTimeoutMs);
    try {
      return await call(deadline);
    } catch (error) {
      throw error === deadline.reason ? new SetupTimeout(pid, what, setupTimeoutMs) : error;
    }
  }
  await inTime("did not load its code", (deadline) => rpc.call("ping", null, deadline));
  rpc.closed.throwIfAborted();
  const gone = Promise.withResolvers<never>();
  rpc.closed.addEventListener("abort", () => gone.reject(rpc.closed.reason), { once: true });
  const known = await Promise.race([setup, gone.promise]);
  const { features } = await inTime("did not take over the worker's configuration", (deadline) =>
    rpc.call("setup", known, deadline),
  );
  return features;
}

function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      if (child.pid === undefined) resolve(`could not be started: ${error.message}`);
    });
    child.once("exit", (code, signal) => {
      resolve(signal === null ? `exited with code ${code}` : `was ended by ${signal}`);
    });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True for the rejection of a call whose executor has ended. */
export function isExecutorGone(error: unknown): boolean {
  return error instanceof ConnectError && error.code === "executor-gone";
}
