import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Processes of this machine, found by a mark: a variable in the environment they were started with (proc(5), `/proc/<pid>/environ`), which
 * their children inherit. Unlike a remembered process id, a mark never means somebody else's process.
 */

/** The value of a variable in the environment a process was started with; undefined if it has none, is gone, a zombie or not ours. */
export function markOf(pid: number, variable: string): string | undefined {
  try {
    const entry = readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .find((line) => line.startsWith(`${variable}=`));
    return entry?.slice(variable.length + 1);
  } catch {
    return undefined;
  }
}

/** The ids of all living processes whose mark satisfies `matches`, this process excepted. */
export function markedProcesses(variable: string, matches: (value: string) => boolean): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid)
    .filter((pid) => {
      const value = markOf(pid, variable);
      return value !== undefined && matches(value);
    });
}

const KILL_PAUSE_MS = 20;

/** SIGKILLs all processes whose mark satisfies `matches` until there are none. */
export async function killMarked(variable: string, matches: (value: string) => boolean): Promise<void> {
  while (killOnce(variable, matches)) await sleep(KILL_PAUSE_MS);
}

/** As {@link killMarked}, for the end of this process, when nothing can be awaited any more. */
export function killMarkedNow(variable: string, matches: (value: string) => boolean): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (killOnce(variable, matches)) Atomics.wait(pause, 0, 0, KILL_PAUSE_MS);
}

/** Whether there was one to kill. */
function killOnce(variable: string, matches: (value: string) => boolean): boolean {
  const pids = markedProcesses(variable, matches);
  for (const pid of pids) sendSignal(pid, "SIGKILL");
  return pids.length > 0;
}

/** Sends a signal; false if there is no such process. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

/** When a process started, in clock ticks since boot (proc(5), field 22 of stat): with its id it names a process for ever. Null if it is gone. */
export function startTicks(pid: number): number | null {
  const fields = statOf(`${pid}`);
  return fields === null || fields[0] === "Z" ? null : Number(fields[19]);
}

/** Whether all threads of a process stand still: the last of them may do so a moment after a SIGSTOP was sent. */
export function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => statOf(`${pid}/task/${thread}`)?.[0] === "T");
}

/** What proc(5) says of a process or a thread behind its name, which may hold anything: its state first. Null if it is gone. */
function statOf(path: string): readonly string[] | null {
  try {
    const stat = readFileSync(`/proc/${path}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}
