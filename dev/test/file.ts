import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { repoRoot } from "../cache.ts";
import { killMarked, markedProcesses } from "../process-table.ts";
import { type FileEvent, parseFileEvent } from "./event.ts";

/** Of the environment of a test file and of all that it starts. */
const MARK = "HEADRACE_TEST_FILE";
/** How long what a file has started may take to end after its tests. */
const FAREWELL_MS = 60_000;
/** How long a file may be silent once one of its tests has failed: what that left open must not hold up the run. */
const SILENCE_MS = 60_000;
/** How long its last words are waited for when it is gone: somebody else may hold the pipe. */
const DRAIN_MS = 10_000;
const TAIL_CHARS = 4_000;

/** How a file ended. */
export interface FileEnd {
  readonly file: string;
  readonly durationMs: number;
  /** What went wrong with the file as a whole, as a sentence; null if it ended by itself and left nothing behind. */
  readonly fault: string | null;
}

/** Where the events and the output of a file go, as they come. */
export interface FileSink {
  event(event: FileEvent): void;
  output(text: string): void;
}

/**
 * Runs one test file in a process of its own and resolves when that, and everything it started, has ended: by itself, or killed after
 * `timeoutMs`, when it says nothing for 60 s after a failure, or when it stays for more than 60 s after its last test. Never throws for what
 * the file does.
 */
export async function runTestFile(
  file: string,
  { timeoutMs, sink }: { readonly timeoutMs: number; readonly sink: FileSink },
): Promise<FileEnd> {
  const started = performance.now();
  const id = randomUUID();
  const isOurs = (value: string) => value === id;
  const reporter = `--test-reporter=${join(import.meta.dirname, "writer.ts")}`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, ["--conditions=source", reporter, join(repoRoot, file)], {
    cwd: repoRoot,
    env: { ...env, [MARK]: id },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`cannot start: ${error.message}`));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  let tail = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      tail = (tail + text).slice(-TAIL_CHARS);
      sink.output(text);
    });
  }
  const closing = new Set<string>();
  const finished = Promise.withResolvers<void>();
  const stuck = Promise.withResolvers<"stuck">();
  let silence: NodeJS.Timeout | undefined;
  let failed = false;
  const [, , , channel] = child.stdio;
  if (channel === null || channel === undefined || !("readable" in channel)) throw new Error("no channel for events");
  const lines = createInterface({ input: channel });
  const told = new Promise<void>((resolve) => lines.once("close", resolve));
  lines.on("line", (line) => {
    const event = parseFileEvent(line);
    if (event.kind === "fail") failed = true;
    if (event.kind === "diagnostic" && event.closing) {
      const [name = ""] = event.message.split(" ");
      closing.add(name);
      if (name === "duration_ms") finished.resolve();
    }
    if (failed) {
      clearTimeout(silence);
      silence = setTimeout(() => stuck.resolve("stuck"), SILENCE_MS);
    }
    sink.event(event);
  });

  const timers = new AbortController();
  const after = (ms: number) => sleep(ms, "late" as const, { signal: timers.signal }).catch(() => "late" as const);
  const deadline = after(timeoutMs);
  const tests = await Promise.race([finished.promise, exited, deadline, stuck.promise]);
  const overdue = tests === "late" || tests === "stuck";
  const end = overdue ? tests : await Promise.race([exited, deadline, after(FAREWELL_MS)]);
  const leftOver = overdue || end === "late" ? [] : await waitForDescendants(isOurs);
  timers.abort();
  clearTimeout(silence);
  await killMarked(MARK, isOurs);
  await exited;
  // What it said last may still be in the pipe, which ends with it.
  await Promise.race([told, sleep(DRAIN_MS, undefined, { ref: false })]);
  lines.close();
  const durationMs = performance.now() - started;
  return { file, durationMs, fault: faultOf() };

  function faultOf(): string | null {
    if (tests === "late") return `was not done after ${timeoutMs / 1000} s and was killed`;
    if (tests === "stuck") return `said nothing for ${SILENCE_MS / 1000} s after a failure and was killed`;
    if (!closing.has("tests")) return `ended without a report (${end})\n${tail}`;
    if (end === "late") return `was still running ${FAREWELL_MS / 1000} s after its last test and was killed`;
    if (leftOver.length > 0) return `left processes behind: ${leftOver.join(", ")}`;
    if (end !== "exit code 0" && !failed) return `ended with ${end} though no test failed\n${tail}`;
    return null;
  }
}

/** Executors and brokers end a moment after the one who started them. Resolves with the ids of those that do not. */
async function waitForDescendants(isOurs: (value: string) => boolean): Promise<readonly number[]> {
  const deadline = performance.now() + FAREWELL_MS;
  for (;;) {
    const pids = markedProcesses(MARK, isOurs);
    if (pids.length === 0 || performance.now() > deadline) return pids;
    await sleep(100);
  }
}
