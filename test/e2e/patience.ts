import { setTimeout as sleep } from "node:timers/promises";

/** Longest wait for anything: pods start on a machine that is busy. */
export const DEADLINE_MS = 300_000;
const POLL_MS = 200;

/**
 * Waits until `condition` answers something other than undefined or false, and answers that. An error is no answer yet, since on a busy machine
 * a request may be late; after `timeoutMs` the last one is told with what was waited for.
 */
export async function patiently<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = DEADLINE_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      const answer = await condition();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: failure });
    await sleep(POLL_MS);
  }
}
