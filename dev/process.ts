import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createConnection, createServer, type ListenOptions, type Server } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What to start, and where its output goes. */
export interface ProcessOptions {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Both output streams are appended here. */
  readonly logFile: string;
  /** true: outlives this process. */
  readonly detached?: boolean;
  /** The kernel sends it this signal when this process ends in whatever way, SIGKILL included. Linux only. */
  readonly signalAtParentsEnd?: NodeJS.Signals;
  /** Run as this user, with the group of the same number and no others; only root may. */
  readonly uid?: number;
}

/** How a process ended: `code` or `signal` is null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that was started here. */
export interface LocalProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when it has ended, however it ended. */
  readonly exited: Promise<Exit>;
  running(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. Idempotent. */
  stop(graceMs?: number): Promise<Exit>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<Exit>;
  /** SIGKILL to it and all its descendants that did not leave its process group; resolves when it is gone. */
  killGroup(): Promise<Exit>;
}

const children = new Set<ChildProcess>();

process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** Lets Ctrl-C and SIGTERM end this process by way of its exit handlers: what was started here ends with it. */
export function exitOnSignals(): void {
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
}

/**
 * Starts a process in a process group of its own, output to a file. Unless `detached`, it is killed when this process exits.
 * Throws if the command cannot be started.
 */
export async function startProcess(options: ProcessOptions): Promise<LocalProcess> {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const log = openSync(options.logFile, "a");
  const env = Object.fromEntries(
    Object.entries({ ...process.env, ...options.env }).filter(([, value]) => value !== undefined),
  );
  const [command, ...args] = commandLine(options);
  const child = spawn(command, args, {
    env,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) =>
      reject(new Error(`cannot start ${options.name}: ${error.message}`, { cause: error })),
    );
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`cannot start ${options.name}: no process id`);
  if (options.detached === true) child.unref();
  else {
    children.add(child);
    void exited.then(() => children.delete(child));
  }
  const running = () => child.exitCode === null && child.signalCode === null;
  const signal = (name: NodeJS.Signals) => {
    if (running()) process.kill(pid, name);
  };
  const kill = async () => {
    signal("SIGKILL");
    return await exited;
  };
  const killGroup = async () => {
    if (running()) process.kill(-pid, "SIGKILL");
    return await exited;
  };
  const stop = async (graceMs = 15_000) => {
    signal("SIGTERM");
    const timer = new AbortController();
    const late = sleep(graceMs, "late" as const, { signal: timer.signal }).catch(() => "done" as const);
    const first = await Promise.race([exited.then(() => "done" as const), late]);
    timer.abort();
    return first === "late" ? await kill() : await exited;
  };
  return { name: options.name, pid, logFile: options.logFile, exited, running, signal, stop, kill, killGroup };
}

/** `setpriv` (util-linux) sets what Node cannot, and becomes the program itself. */
function commandLine({ command, args, signalAtParentsEnd }: ProcessOptions): readonly [string, ...(readonly string[])] {
  if (signalAtParentsEnd === undefined) return [command, ...args];
  return ["setpriv", "--pdeathsig", signalAtParentsEnd.replace("SIG", ""), "--", command, ...args];
}

/**
 * Below the ports that the kernel chooses for outgoing connections and for servers that ask for any (`ip_local_port_range` begins at 32768),
 * above those that programs have by default.
 */
const PORTS = { first: 10_000, count: 22_000 };

/** The claims of this process, open until it ends. */
const claims: Server[] = [];

/**
 * Free ports, all different, for servers that are started later, and perhaps again and again: as long as this process runs, no other call, in
 * whichever process, gives them away, and the kernel does not choose them by itself.
 */
export async function freePorts(count: number, host = "127.0.0.1"): Promise<readonly number[]> {
  const ports: number[] = [];
  let next = Math.floor(Math.random() * PORTS.count);
  for (let tried = 0; ports.length < count; tried += 1) {
    if (tried === PORTS.count) throw new Error(`no free port from ${PORTS.first} on at ${host}`);
    const port = PORTS.first + (next % PORTS.count);
    next += 1;
    // A name in the kernel's abstract namespace: it goes with the process, however that ends.
    const claim = await listen({ path: `\0headrace/port/${port}` });
    if (claim === null) continue;
    claims.push(claim.unref());
    const probe = await listen({ port, host });
    if (probe === null) continue;
    await new Promise<void>((resolve) => probe.close(() => resolve()));
    ports.push(port);
  }
  return ports;
}

/** Resolves with null if somebody else listens there. */
async function listen(at: ListenOptions): Promise<Server | null> {
  const server = createServer();
  return await new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(null) : reject(error),
    );
    server.listen(at, () => resolve(server));
  });
}

/** Whether something accepts TCP connections at `host`:`port`. */
export async function accepts(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: 1000 });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
    socket.once("timeout", () => done(false));
  });
}

/**
 * Waits until `condition` holds, asking every `intervalMs`. Fails with the tail of the log if the process ends first, or after `timeoutMs`.
 */
export async function waitUntilReady(
  process_: LocalProcess,
  condition: () => Promise<boolean>,
  options: { readonly timeoutMs: number; readonly intervalMs?: number },
): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  while (!(await condition())) {
    if (!process_.running())
      throw new Error(`${process_.name} ended before it was ready:\n${logTail(process_.logFile)}`);
    if (performance.now() > deadline) {
      throw new Error(`${process_.name} was not ready after ${options.timeoutMs} ms:\n${logTail(process_.logFile)}`);
    }
    await sleep(options.intervalMs ?? 100);
  }
}

/** The last lines of a log file. */
export function logTail(file: string, lines = 30): string {
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
}
