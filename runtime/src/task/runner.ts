import { ConnectError } from "../errors.ts";
import { pause as elapse } from "../pause.ts";

export type TaskState = "RUNNING" | "PAUSED" | "FAILED" | "UNASSIGNED";

/** What ends a task early: the worker lost its right to run it (invariant 3). */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** How a task's body hears what is wanted of it. The three signals abort in this order. */
export interface TaskControl {
  /** No more polls. */
  readonly stopping: AbortSignal;
  /** Give up what is still in flight; only commit. */
  readonly draining: AbortSignal;
  /** The end of everything: the stop's deadline has passed, or the lease was lost. */
  readonly ending: AbortSignal;
  /** Throws unless the lease is held: to be called right before each act that others can see. */
  permit(): void;
  paused(): boolean;
  /** Tells that the task runs, or stands still by order. Repeats are free. */
  tell(state: "RUNNING" | "PAUSED"): void;
  /** Tells the failure before the clean-up begins; `run` rejects with it afterwards. */
  fail(error: unknown): void;
  /** Resolves when the task is no longer paused, or is stopping. */
  resumed(): Promise<void>;
}

/**
 * A source or sink task, from opening to closing. When `run` rejects with code `timeout` while stopping, something of the task could
 * not be ended: only the end of the process does.
 */
export interface TaskBody {
  /** Rejects with why the task may not exist at all: it fails with that, paused or not. */
  check?(signal: AbortSignal): Promise<void>;
  /** Runs until `control.stopping` aborts; rejects when the task failed. Everything that was opened is closed when it settles. */
  run(control: TaskControl): Promise<void>;
  /** Counters since the start, by the names of contract §11. */
  metrics(): Readonly<Record<string, number>>;
}

export interface TaskRunner {
  setPaused(paused: boolean): void;
  /** Resolves when the task has stopped and committed what it could; rejects with code `timeout` if it did not within `timeoutMs`. */
  stop(timeoutMs: number): Promise<void>;
  /** Ends the task at once, without another commit. Resolves when it has closed what it had open. */
  kill(reason: Error): Promise<void>;
  metrics(): Readonly<Record<string, number>>;
}

export interface RunnerOptions {
  readonly label: string;
  readonly body: TaskBody;
  readonly paused: boolean;
  readonly lease: { held(): boolean; granted(signal: AbortSignal): Promise<void> };
  readonly report: (state: TaskState, error: unknown) => void;
}

/** Of a stop's time, what is kept for the last offset commit. */
const COMMIT_SHARE = 0.25;

/** Starts a task; its states are told through `report` (contract §7.0). */
export function startTask(options: RunnerOptions): TaskRunner {
  const { label, body, lease } = options;
  const stopping = new AbortController();
  const draining = new AbortController();
  const ending = new AbortController();
  let paused = options.paused;
  let resumed = Promise.withResolvers<void>();
  let told: TaskState | null = null;
  let killed = false;

  function tell(state: TaskState, error: unknown = null): void {
    if (told === state || told === "FAILED" || killed || error instanceof LeaseLost) return;
    told = state;
    options.report(state, error);
  }

  const control: TaskControl = {
    stopping: stopping.signal,
    draining: draining.signal,
    ending: ending.signal,
    permit() {
      if (!lease.held()) throw new LeaseLost(`the lease of ${label} has run out`);
      ending.signal.throwIfAborted();
    },
    paused: () => paused,
    tell,
    fail: (error) => tell("FAILED", error),
    resumed: () => (paused && !stopping.signal.aborted ? resumed.promise : Promise.resolve()),
  };

  /** Why the task could not be ended, or null. */
  async function live(): Promise<Error | null> {
    try {
      await lease.granted(stopping.signal);
      await body.check?.(stopping.signal);
      if (paused) tell("PAUSED");
      await control.resumed();
      if (!stopping.signal.aborted) await body.run(control);
      tell("UNASSIGNED");
      return null;
    } catch (error) {
      const stuck = error instanceof ConnectError && error.code === "timeout" && stopping.signal.aborted;
      if (stuck || isAbort(error, stopping.signal)) tell("UNASSIGNED");
      else tell("FAILED", error);
      return stuck ? error : null;
    }
  }

  const ended = live();
  return {
    setPaused(wanted) {
      if (wanted === paused) return;
      paused = wanted;
      if (!wanted) {
        resumed.resolve();
        resumed = Promise.withResolvers();
      }
    },
    async stop(timeoutMs) {
      const stopped = new Error(`${label} is being stopped`);
      stopping.abort(stopped);
      resumed.resolve();
      const finished = new AbortController();
      void elapse(timeoutMs * (1 - COMMIT_SHARE), finished.signal).then((late) => late && draining.abort(stopped));
      const deadline = elapse(timeoutMs, finished.signal).then((late) => {
        if (!late) return;
        draining.abort(stopped);
        ending.abort(stopped);
        throw new ConnectError("timeout", `${label} did not stop within ${timeoutMs} ms`);
      });
      try {
        const stuck = await Promise.race([ended, deadline]);
        if (stuck instanceof Error) throw stuck;
      } finally {
        finished.abort();
      }
    },
    async kill(reason) {
      killed = true;
      stopping.abort(reason);
      draining.abort(reason);
      ending.abort(reason);
      resumed.resolve();
      await ended;
    },
    metrics: () => body.metrics(),
  };
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}
