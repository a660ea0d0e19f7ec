import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { aborted } from "./aborted.ts";
import { type BackOffLimits, nextBackOff, restartAt, shouldRestart } from "./back-off.ts";
import {
  adoptContainerProcess,
  type ContainerExit,
  type ContainerProcess,
  startContainerProcess,
} from "./container-process.ts";
import type { PodAddresses } from "./downward.ts";
import { resolveEnvironment } from "./environment.ts";
import { expand } from "./expansion.ts";
import { type HandlerTarget, runHandler } from "./handler.ts";
import { HOSTS_VARIABLE } from "./hosts.ts";
import type { LocalImage } from "./images.ts";
import { createPathMapper } from "./mount-paths.ts";
import { type Container, type Pod, type Probe, podKey, type RestartPolicy, type Terminated } from "./pod.ts";
import { runProbes } from "./prober.ts";
import { retryDelayMs, TOLD_FAILURES } from "./retry-delay.ts";
import type { Sources } from "./sources.ts";
import { type ContainerRecord, toTime } from "./status.ts";
import type { PodVolumes } from "./volumes.ts";

/** One container of a pod and what it needs from its surroundings. */
export interface ContainerRun {
  readonly pod: Pod;
  readonly container: Container;
  readonly policy: RestartPolicy;
  readonly addresses: PodAddresses;
  /** The container's own directory, with one directory per run. */
  readonly dir: string;
  /** One log file per run. */
  readonly logDir: string;
  readonly tmpDir: string;
  /** The file with the names of pods. */
  readonly hosts: string;
  readonly images: ReadonlyMap<string, LocalImage>;
  readonly sources: Sources;
  readonly volumes: PodVolumes;
  readonly limits: BackOffLimits;
  record(): ContainerRecord;
  /** Keeps the record, before anything that depends on it is done, and tells the API server in its time. */
  update(change: Partial<ContainerRecord>): void;
  event(type: "Normal" | "Warning", reason: string, message: string): void;
  /** The pod is to end: stop the container gracefully, do not start it again. */
  readonly ending: AbortSignal;
  /** The grace period is over: kill. */
  readonly expired: AbortSignal;
}

const MESSAGE_BYTES = 2048;
const DEFAULT_GRACE_SECONDS = 30;
const START_ERROR_CODE = 128;

/**
 * Runs a container until it has ended for good: by its restart policy or because the pod ends. Goes on from its record, so that a container
 * whose processes outlived an agent is taken over and none runs twice.
 */
export async function runContainer(run: ContainerRun): Promise<void> {
  let current: ContainerProcess | ContainerExit | Terminated | null = await takeOver(run);
  for (;;) {
    if (current === null) {
      if (!(await waitForBackOff(run))) return;
      current = await start(run);
      if (current === null) return;
    }
    const exit: ContainerExit | Terminated = "pid" in current ? await supervise(run, current) : current;
    current = null;
    const terminated = "seen" in exit ? toTerminated(run, exit) : exit;
    run.update({ state: { terminated }, started: false, ready: false });
    if (run.ending.aborted || !shouldRestart(run.policy, terminated.exitCode)) return;
  }
}

/** What a former agent left: a living process, an end that is not recorded yet, or null for nothing. */
async function takeOver(run: ContainerRun): Promise<ContainerProcess | ContainerExit | null> {
  const { state, runs } = run.record();
  const begun = state.running !== undefined || (state.waiting?.reason === "ContainerCreating" && runs > 0);
  return begun ? await adoptContainerProcess(runDir(run)) : null;
}

/** Waits until the container may start; false if it must not start at all, because it has ended for good or the pod ends. */
async function waitForBackOff(run: ContainerRun): Promise<boolean> {
  const { state, lastTerminated, backOff } = run.record();
  if (run.ending.aborted) return false;
  if (state.terminated !== undefined && !shouldRestart(run.policy, state.terminated.exitCode)) return false;
  const last = state.terminated ?? lastTerminated;
  if (last === null) return true;
  const waitMs = restartAt(backOff, Date.parse(last.finishedAt), run.limits) - Date.now();
  if (waitMs <= 0) return true;
  const { pod, container } = run;
  const seconds = (backOff?.delayMs ?? 0) / 1000;
  const message = `back-off ${seconds}s restarting failed container=${container.name} pod=${podKey(pod).replace("/", "_")}(${pod.metadata.uid})`;
  setWaiting(run, "CrashLoopBackOff", message);
  run.event("Warning", "BackOff", message);
  await sleep(waitMs, undefined, { signal: run.ending }).catch(() => {});
  return !run.ending.aborted;
}

/** The end of the last run stays visible while the next one is waited for. */
function setWaiting(run: ContainerRun, reason: string, message: string): void {
  const { state, lastTerminated } = run.record();
  run.update({ state: { waiting: { reason, message } }, lastTerminated: state.terminated ?? lastTerminated });
}

/** Starts the next run; null if the pod ends first, an end if it cannot be started. */
async function start(run: ContainerRun): Promise<ContainerProcess | Terminated | null> {
  const { container, record, update } = run;
  const image = run.images.get(container.image);
  if (image === undefined) {
    const message = `Container image "${container.image}" is not present with pull policy of Never: dev/images.json names what stands for an image`;
    setWaiting(run, "ErrImageNeverPull", message);
    run.event("Warning", "ErrImageNeverPull", message);
    await aborted(run.ending);
    return null;
  }
  const target = await configure(run, image);
  if (target === null) return null;
  const { state, lastTerminated, runs, backOff } = record();
  const last = state.terminated ?? lastTerminated;
  update({
    runs: runs + 1,
    state: { waiting: { reason: "ContainerCreating" } },
    lastTerminated: last,
    backOff: last === null ? null : nextBackOff(backOff, Date.now(), run.limits),
  });
  try {
    const command = toCommand(run, target);
    const process_ = await startContainerProcess({
      dir: runDir(run),
      command,
      env: target.env,
      cwd: target.cwd,
      logFile: join(run.logDir, `${runs}.log`),
    });
    await runPostStart(run, { ...target, dir: runDir(run) }, process_);
    const startedAt = toTime(process_.startedAt);
    const containerID = `process://${process_.pid}-${process_.startedAt.getTime()}`;
    update({ state: { running: { startedAt } }, containerID });
    run.event("Normal", "Started", `Started container ${container.name}`);
    return process_;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    run.event("Warning", "Failed", `Error: ${message}`);
    const now = toTime(new Date());
    return { exitCode: START_ERROR_CODE, reason: "StartError", message, startedAt: now, finishedAt: now };
  }
}

/** The container counts as running only after its postStart hook; if that fails, it is killed. */
async function runPostStart(run: ContainerRun, target: HandlerTarget, process_: ContainerProcess): Promise<void> {
  const hook = run.container.lifecycle?.postStart;
  if (hook === undefined) return;
  const { ok, message } = await runHandler(hook, target, run.ending);
  if (ok || run.ending.aborted) return;
  run.event("Warning", "FailedPostStartHook", `PostStartHook failed: ${message}`);
  process_.kill();
}

/** Resolves the container's environment, again and again while something that it names is missing; null if the pod ends first. */
async function configure(run: ContainerRun, image: LocalImage): Promise<HandlerTarget | null> {
  for (let failures = 1; !run.ending.aborted; failures += 1) {
    try {
      return await toTarget(run, image, run.ending);
    } catch (error) {
      if (run.ending.aborted) return null;
      const message = error instanceof Error ? error.message : String(error);
      if (failures >= TOLD_FAILURES) {
        setWaiting(run, "CreateContainerConfigError", message);
        run.event("Warning", "Failed", `Error: ${message}`);
      }
      await sleep(retryDelayMs(failures), undefined, { signal: run.ending }).catch(() => {});
    }
  }
  return null;
}

async function toTarget(run: ContainerRun, image: LocalImage, signal: AbortSignal): Promise<HandlerTarget> {
  const { pod, container, addresses, sources, volumes, tmpDir } = run;
  const mapPath = createPathMapper([...volumes.mounts(container), ...image.mounts]);
  const own = await resolveEnvironment(pod, container, addresses, sources, signal);
  const mapped = Object.fromEntries(Object.entries(own).map(([name, value]) => [name, mapPath(value)]));
  const tmp = mapPath("/tmp");
  mkdirSync(tmpDir, { recursive: true });
  const env = {
    HOME: tmpDir,
    TMPDIR: tmp === "/tmp" ? tmpDir : tmp,
    HOSTNAME: pod.metadata.name,
    [HOSTS_VARIABLE]: run.hosts,
    ...image.env,
    ...mapped,
  };
  return {
    container,
    podIP: addresses.podIP,
    dir: runDir(run),
    env,
    cwd: workingDir(container, image, mapPath),
    mapPath,
  };
}

/** A working directory in a volume is the volume's; any other is looked for in the image's directory. */
function workingDir(container: Container, image: LocalImage, mapPath: (text: string) => string): string {
  const { workingDir: wanted } = container;
  if (wanted === undefined) return image.path;
  const mapped = mapPath(wanted);
  if (mapped !== wanted) return mapped;
  const inImage = join(image.path, wanted);
  return existsSync(inImage) ? inImage : image.path;
}

/** The command line: references expanded, mount paths mapped, the program found on the container's PATH. Throws if there is none. */
function toCommand(run: ContainerRun, target: HandlerTarget): readonly string[] {
  const { container } = run;
  const words = [...(container.command ?? []), ...(container.args ?? [])];
  const [program, ...args] = words.map((word) => target.mapPath(expand(word, target.env)));
  if (program === undefined || container.command === undefined) {
    throw new Error("a container on the local node needs `command`: its image is only a directory");
  }
  const candidates = program.includes("/")
    ? [resolve(target.cwd, program)]
    : (target.env["PATH"] ?? "").split(delimiter).map((dir) => join(dir, program));
  const found = candidates.filter(isAbsolute).find(isExecutable);
  if (found === undefined) throw new Error(`exec: "${program}": executable file not found in $PATH`);
  return [found, ...args];
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Probes the process and stops it if it must; resolves when it has ended. */
async function supervise(run: ContainerRun, process_: ContainerProcess): Promise<ContainerExit> {
  const { container } = run;
  const failed = new AbortController();
  const ended = new AbortController();
  let graceSeconds = run.pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  const target = await toTarget(run, imageOf(run), run.ending).catch(() => bareTarget(run));
  const listener = {
    onStarted: () => run.update({ started: true }),
    onReady: (ready: boolean) => run.update({ ready }),
    onFailed: (kind: string, probe: Probe) => {
      graceSeconds = probe.terminationGracePeriodSeconds ?? graceSeconds;
      run.event(
        "Normal",
        "Killing",
        `Container ${container.name} failed ${kind.toLowerCase()} probe, will be restarted`,
      );
      failed.abort();
    },
    onUnhealthy: (kind: string, message: string) =>
      run.event("Warning", "Unhealthy", `${kind} probe failed: ${message}`),
  };
  const killed = AbortSignal.any([run.ending, failed.signal]);
  const { started: alreadyStarted } = run.record();
  const startedMs = Date.now() - process_.startedAt.getTime();
  const probing = runProbes(target, { startedMs, alreadyStarted, killed }, listener, ended.signal);
  const stopping = stopWhen(killed);
  const exit = await process_.exited;
  ended.abort();
  await Promise.all([probing, stopping]);
  return exit;

  async function stopWhen(signal: AbortSignal): Promise<void> {
    await aborted(AbortSignal.any([signal, ended.signal]));
    if (ended.signal.aborted) return;
    if (run.ending.aborted) run.event("Normal", "Killing", `Stopping container ${container.name}`);
    const own = failed.signal.aborted ? [AbortSignal.timeout(graceSeconds * 1000)] : [];
    const over = AbortSignal.any([run.expired, ended.signal, ...own]);
    const preStop = container.lifecycle?.preStop;
    if (preStop !== undefined) {
      const { ok, message } = await runHandler(preStop, target, over);
      if (!ok && !ended.signal.aborted) run.event("Warning", "FailedPreStopHook", `PreStopHook failed: ${message}`);
    }
    process_.signal("SIGTERM");
    await aborted(over);
    if (!ended.signal.aborted) process_.kill();
  }
}

function imageOf(run: ContainerRun): LocalImage {
  return run.images.get(run.container.image) ?? { path: run.dir, env: {}, mounts: [] };
}

/** For a process that was taken over when what its environment came from is gone: probes other than exec need none. */
function bareTarget(run: ContainerRun): HandlerTarget {
  const { container, addresses } = run;
  const { env, path } = imageOf(run);
  return { container, podIP: addresses.podIP, dir: runDir(run), env, cwd: path, mapPath: (text) => text };
}

function toTerminated(run: ContainerRun, exit: ContainerExit): Terminated {
  const { state, containerID } = run.record();
  const message = messageOf(run, exit);
  return {
    exitCode: exit.exitCode,
    reason: exit.exitCode === 0 ? "Completed" : exit.seen ? "Error" : "ContainerStatusUnknown",
    ...(message !== undefined && { message }),
    startedAt: state.running?.startedAt ?? toTime(exit.finishedAt),
    finishedAt: toTime(exit.finishedAt),
    ...(containerID !== null && { containerID }),
  };
}

/** The end of the log, if the container failed and asks for that. */
function messageOf(run: ContainerRun, exit: ContainerExit): string | undefined {
  if (exit.exitCode === 0 || run.container.terminationMessagePolicy !== "FallbackToLogsOnError") return undefined;
  const file = join(run.logDir, `${run.record().runs - 1}.log`);
  return existsSync(file) ? readFileSync(file).subarray(-MESSAGE_BYTES).toString() : undefined;
}

function runDir(run: ContainerRun): string {
  return join(run.dir, String(run.record().runs));
}
