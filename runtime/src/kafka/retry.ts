import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { createBackoff } from "./backoff.ts";
import { errorMessage, isRetriable } from "./errors.ts";

export interface RetryOptions {
  /** What is being done, as in "Could not …". */
  readonly what: string;
  readonly backoff: { readonly retryBackoffMs: number; readonly retryBackoffMaxMs: number };
  readonly log: Logger;
}

/**
 * Repeats what fails for a reason that passes, until `signal` aborts. Rejects with a ConnectError that names the last failure:
 * `timeout` if time ran out, `kafka` if Kafka refused for good. An abort before any failure rejects with the signal's own reason.
 */
export async function retrying<T>(
  { what, backoff: settings, log }: RetryOptions,
  attempt: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const backoff = createBackoff(settings);
  let failure: unknown;
  for (;;) {
    try {
      signal.throwIfAborted();
      return await attempt();
    } catch (error) {
      if (error instanceof ConnectError) throw error;
      if (signal.aborted) {
        const last = error === signal.reason ? failure : error;
        if (last === undefined) throw error;
        throw new ConnectError("timeout", `Could not ${what}: ${errorMessage(last)}`, { cause: last });
      }
      if (!isRetriable(error)) {
        throw new ConnectError("kafka", `Could not ${what}: ${errorMessage(error)}`, { cause: error });
      }
      failure = error;
      log.debug({ err: error, what }, "kafka request failed, trying again");
    }
    await backoff.pause(signal).catch(() => {}); // The loop's head tells what to throw.
  }
}
