import { setTimeout as sleep } from "node:timers/promises";
import { ConnectError } from "./errors.ts";
import { errorMessage, isAccessError } from "./kafka/errors.ts";
import type { TopicAdmin } from "./kafka/topic-admin.ts";
import type { Logger } from "./log.ts";

const REPORT_EVERY_MS = 5_000;
const ACCESS_PAUSE_MS = 2_000;

/**
 * Waits for Kafka and resolves with its cluster id; says every few seconds why it is not there yet. Refused credentials and certificates
 * are waited for too: the user may still be created, the file renewed. Rejects if waiting does not help.
 */
export async function reachKafka(
  admin: Pick<TopicAdmin, "clusterId">,
  log: Logger,
  signal: AbortSignal,
): Promise<string> {
  for (;;) {
    try {
      return await admin.clusterId(AbortSignal.any([signal, AbortSignal.timeout(REPORT_EVERY_MS)]));
    } catch (error) {
      signal.throwIfAborted();
      if (isAccessError(error)) {
        log.error({ reason: errorMessage(error) }, "kafka does not let this worker in, trying again");
        await sleep(ACCESS_PAUSE_MS, undefined, { signal });
        continue;
      }
      if (!isTimeout(error)) throw error;
      log.warn({ reason: error.message }, "kafka cannot be reached yet, trying again");
    }
  }
}

function isTimeout(error: unknown): error is Error {
  if (error instanceof ConnectError) return error.code === "timeout";
  return error instanceof Error && error.name === "TimeoutError";
}
