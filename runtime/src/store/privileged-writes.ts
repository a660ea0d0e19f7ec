import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { errorMessage, isAuthorizationError, kafkaErrorType } from "../kafka/errors.ts";
import type { NewRecord } from "../kafka/topic-log.ts";
import type { TransactionalWriter } from "../kafka/transactional-writer.ts";

/** Writes that only the leader may make, each in a transaction that fences former leaders (contract §2.3). */
export interface PrivilegedWrites {
  /** Takes the privilege, anew if need be, so that whoever had it cannot write any more. */
  claim(signal: AbortSignal): Promise<void>;
  /**
   * Resolves when the records are committed. A failure drops the privilege; it is taken again, and the write repeated, for as long as
   * this worker leads and `signal` allows.
   */
  append(records: readonly NewRecord[], signal: AbortSignal): Promise<void>;
  stop(): void;
}

export interface PrivilegedWritesOptions {
  readonly writer: TransactionalWriter;
  /** Throws if this worker does not lead any more. */
  readonly confirmLeader: (signal: AbortSignal) => Promise<void>;
  readonly log: Logger;
  readonly pause?: (signal: AbortSignal) => Promise<void>;
}

const BACKOFF_MS = 250;
/** Refusals that another try does not change. */
const FINAL_TYPES: ReadonlySet<string> = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "POLICY_VIOLATION",
]);

/**
 * Makes the writes of one worker.
 *
 * Guarantees (invariant 5): between the claim and the write this worker has confirmed that it leads, so a worker that is no leader any more
 * writes nothing, though it may cost the leader its privilege for a moment.
 */
export function createPrivilegedWrites(options: PrivilegedWritesOptions): PrivilegedWrites {
  const { writer, confirmLeader, log } = options;
  const rest = options.pause ?? ((signal) => sleep(BACKOFF_MS, undefined, { signal }).catch(() => {}));

  async function attempt(records: readonly NewRecord[], signal: AbortSignal): Promise<void> {
    if (!writer.holds()) {
      await writer.claim(signal);
      await confirmLeader(signal);
      log.info({}, "privilege to write to the config topic taken");
    }
    await writer.append(records, signal);
  }

  return {
    async claim(signal) {
      await confirmLeader(signal);
      await writer.claim(signal);
      log.info({}, "privilege to write to the config topic taken");
    },
    async append(records, signal) {
      for (;;) {
        await confirmLeader(signal);
        try {
          return await attempt(records, signal);
        } catch (error) {
          const cause = error instanceof ConnectError ? (error.cause ?? error) : error;
          if (error instanceof ConnectError && error.code === "rebalance") throw error;
          const final = isAuthorizationError(cause) || FINAL_TYPES.has(kafkaErrorType(cause) ?? "");
          if (final || signal.aborted) {
            throw new ConnectError("kafka", `Could not write to the config topic: ${errorMessage(cause)}`, { cause });
          }
          log.warn({ error: errorMessage(cause) }, "privileged write to the config topic failed, trying again");
        }
        await rest(signal);
      }
    },
    stop: () => writer.close(),
  };
}
