import type { Logger } from "@headrace/sdk";
import { startTask, type TaskBody, type TaskRunner, type TaskState } from "#runtime/task/runner.ts";
import { eventually } from "./eventually.ts";

/** A task under test: its runner, the lease in the test's hand, and what it told. */
export interface TaskRun {
  readonly runner: TaskRunner;
  readonly states: readonly TaskState[];
  /** Of the FAILED state. */
  readonly error: () => unknown;
  /** The lease runs out: from now on the task may not act. */
  loseLease(): void;
  until(state: TaskState): Promise<void>;
}

const running = new Set<TaskRunner>();

/** Ends the tasks of a test, whatever became of it. */
export async function endTasks(): Promise<void> {
  const ending = [...running].map((runner) => runner.kill(new Error("the test is over")));
  running.clear();
  await Promise.all(ending);
}

/** Starts a task with a lease that is held until the test says otherwise. */
export function runTask(body: TaskBody, options: { paused?: boolean } = {}): TaskRun {
  const states: TaskState[] = [];
  let failure: unknown = null;
  const lease = { held: true };
  const runner = startTask({
    label: "c-0",
    body,
    paused: options.paused ?? false,
    lease: { held: () => lease.held, granted: async () => {} },
    report: (state, error) => {
      states.push(state);
      if (state === "FAILED") failure = error;
    },
  });
  running.add(runner);
  return {
    runner,
    states,
    error: () => failure,
    loseLease: () => {
      lease.held = false;
    },
    until: async (state) => {
      await eventually(`state ${state} after ${states.join(", ")}`, () => states.at(-1) === state, 5_000);
    },
  };
}

/** Log lines as `level message`. */
export function createLogRecorder(): Logger & { readonly lines: readonly string[] } {
  const lines: string[] = [];
  const write = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`);
  return { lines, error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
}
