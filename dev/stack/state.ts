import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { LocalProcess } from "../process.ts";
import { sendSignal, startTicks } from "../process-table.ts";

/** The variable that marks every process of a stack; its value is the stack's directory. */
export const STACK_MARK = "HEADRACE_STACK";

const processSchema = z.object({
  name: z.string(),
  pid: z.number(),
  /** With the id it names the process for ever, so that one that got the id later is never taken for it. */
  startTicks: z.number(),
  logFile: z.string(),
  /** How long it may take to end by itself; 0 for what has nothing to save. */
  graceMs: z.number(),
});

const stateSchema = z.object({
  /** In the order of their start. */
  processes: z.array(processSchema),
  kafka: z.object({ bootstrap: z.string(), ours: z.boolean() }),
  kubernetes: z.object({
    ours: z.boolean(),
    adminKubeconfig: z.string(),
    userKubeconfig: z.string(),
    kubectlPath: z.string(),
  }),
  operator: z.object({ url: z.string(), namespace: z.string() }).nullable(),
});

/** A process of the stack, as it is remembered. */
export type RecordedProcess = z.infer<typeof processSchema>;

/** What `up` writes once everything runs. */
export type StackState = z.infer<typeof stateSchema>;

const file = (dir: string) => join(dir, "stack.json");

/** The state that an `up` wrote, null if none came to its end. */
export function readState(dir: string): StackState | null {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file(dir), "utf8")));
  } catch {
    return null; // None, or another version's: `down` finds the processes by their mark.
  }
}

/** Writes the state in one step. */
export function writeState(dir: string, state: StackState): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(`${file(dir)}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${file(dir)}.new`, file(dir));
}

/** What is to be remembered of a process that was just started. */
export function toRecorded({ name, pid, logFile }: LocalProcess, graceMs: number): RecordedProcess {
  const ticks = startTicks(pid);
  if (ticks === null) throw new Error(`${name} has ended; see ${logFile}`);
  return { name, pid, startTicks: ticks, logFile, graceMs };
}

/** Whether the very process that was remembered still runs. */
export function isRunning({ pid, startTicks: ticks }: RecordedProcess): boolean {
  return startTicks(pid) === ticks;
}

/** SIGTERM, then SIGKILL after its grace period; resolves when the process is gone. */
export async function stopRecorded(process_: RecordedProcess): Promise<void> {
  const deadline = performance.now() + process_.graceMs;
  if (process_.graceMs > 0 && isRunning(process_)) sendSignal(process_.pid, "SIGTERM");
  while (isRunning(process_)) {
    if (performance.now() > deadline) sendSignal(process_.pid, "SIGKILL");
    await sleep(50);
  }
}
