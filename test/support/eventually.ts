import { setTimeout as sleep } from "node:timers/promises";

/** Ends {@link eventually} at once, with this message: what is waited for cannot come any more. */
export class Stop extends Error {}

/**
 * Waits until `condition` answers something other than undefined, null or false, and answers that; an exception counts as "not yet". Fails
 * after `timeoutMs` with what was waited for and the last exception. The default, 60 s, is far more than anything takes, so that a machine
 * that stands still for a while fails nothing.
 */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  timeoutMs = 60_000,
  intervalMs = 50,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
    } catch (error) {
      if (error instanceof Stop) throw error;
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: last });
    await sleep(intervalMs);
  }
}
