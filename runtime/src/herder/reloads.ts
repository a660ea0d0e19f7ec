import type { Logger } from "../log.ts";

/**
 * Restarts of what has read values that are good for a time only (contract §10): one pending per connector or task and source, set anew
 * each time the source is read.
 */
export interface Reloads {
  /** `task` null: the connector's instance. */
  schedule(expiry: {
    readonly connector: string;
    readonly task: number | null;
    readonly source: string;
    readonly ttlMs: number;
  }): void;
  /** What waits for its time. */
  pending(): number;
  close(): void;
}

export interface ReloadsOptions {
  /** Whether it still runs here. */
  readonly owns: (connector: string, task: number | null) => boolean;
  readonly restart: (connector: string, task: number | null) => Promise<void>;
  readonly setTimer: (action: () => void, ms: number) => () => void;
  readonly log: Logger;
}

/** A provider that says 0 must not keep its connector restarting without a pause. */
const MIN_MS = 1_000;
/** Longest time that a timer of Node's can be set to. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Creates an empty schedule. Source: WorkerConfigTransformer.scheduleReload. */
export function createReloads({ owns, restart, setTimer, log }: ReloadsOptions): Reloads {
  const cancels = new Map<string, () => void>();
  return {
    schedule({ connector, task, source, ttlMs }) {
      const id = JSON.stringify([connector, task, source]);
      cancels.get(id)?.();
      const fire = () => {
        cancels.delete(id);
        if (!owns(connector, task)) return;
        log.info({ connector, task, source }, "values have run out, restarting");
        restart(connector, task).catch((error: unknown) => {
          log.warn({ connector, task, error }, "restart for new values failed");
        });
      };
      cancels.set(id, setTimer(fire, Math.min(Math.max(ttlMs, MIN_MS), MAX_TIMER_MS)));
    },
    pending: () => cancels.size,
    close() {
      for (const cancel of cancels.values()) cancel();
      cancels.clear();
    },
  };
}
