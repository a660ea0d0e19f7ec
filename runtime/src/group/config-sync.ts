import type { Logger } from "@headrace/sdk";
import { unlessAborted } from "../kafka/cluster.ts";
import type { Clock } from "./clock.ts";
import type { GroupHost } from "./group.ts";

/** Brings the config topic up to what a round was made for (contract §1.3). */
export interface ConfigSync {
  /** Reads to the end if the host is behind `offset`. false: it could not be read in time. */
  catchUp(offset: bigint, signal: AbortSignal): Promise<boolean>;
  /** Waits longer after each failure in a row; false once that has been often enough. */
  backOff(signal: AbortSignal): Promise<boolean>;
}

export interface ConfigSyncOptions {
  readonly host: GroupHost;
  /** `worker.sync.timeout.ms` */
  readonly timeoutMs: number;
  /** `scheduled.rebalance.max.delay.ms` */
  readonly maxDelayMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Fractions of the maximum delay. Source: DistributedHerder.backoff. */
const BACK_OFFS = [1 / 50, 1 / 40, 1 / 30, 1 / 20, 1 / 10];
const MIN_BACK_OFF_MS = 100;

export function createConfigSync({ host, timeoutMs, maxDelayMs, clock, log }: ConfigSyncOptions): ConfigSync {
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
    async backOff(signal) {
      const share = BACK_OFFS[failures];
      failures = share === undefined ? 0 : failures + 1;
      if (share === undefined) return false;
      await clock.sleep(Math.max(MIN_BACK_OFF_MS, maxDelayMs * share), signal);
      return true;
    },
  };
}
