import type { Logger } from "@headrace/sdk";
import { unlessAborted } from "../kafka/cluster.ts";
import type { GroupHost } from "./group.ts";

/** Brings the config topic up to what a round was made for (contract §1.3). */
export interface ConfigSync {
  /** Reads to the end if the host is behind `offset`. false: it could not be read in time. */
  catchUp(offset: bigint, signal: AbortSignal): Promise<boolean>;
  /** How long to wait before the next try, longer after each failure in a row; null once that has been often enough. */
  nextPauseMs(): number | null;
}

export interface ConfigSyncOptions {
  readonly host: GroupHost;
  /** `worker.sync.timeout.ms` */
  readonly timeoutMs: number;
  /** `scheduled.rebalance.max.delay.ms` */
  readonly maxDelayMs: number;
  readonly log: Logger;
}

/** Fractions of the maximum delay. Source: DistributedHerder.backoff. */
const BACK_OFFS = [1 / 50, 1 / 40, 1 / 30, 1 / 20, 1 / 10];
const MIN_BACK_OFF_MS = 1_000;

export function createConfigSync({ host, timeoutMs, maxDelayMs, log }: ConfigSyncOptions): ConfigSync {
  let failures = 0;
  return {
    async catchUp(offset, signal) {
      if (host.snapshot().offset < offset) {
        const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
        try {
          await unlessAborted(host.refreshConfig(bounded), bounded);
        } catch (error) {
          signal.throwIfAborted();
          log.warn({ offset: String(offset), error }, "the config topic could not be read in time");
          return false;
        }
        if (host.snapshot().offset < offset) return false;
      }
      failures = 0;
      return true;
    },
    nextPauseMs() {
      const share = BACK_OFFS[failures];
      failures = share === undefined ? 0 : failures + 1;
      return share === undefined ? null : Math.max(MIN_BACK_OFF_MS, maxDelayMs * share);
    },
  };
}
