import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until `condition` answers something other than undefined or false, and answers that. Fails after `timeoutMs` (default 60 s: far more than anything takes, so that a machine that stands still for a while fails nothing) naming
 * what was waited for; what the condition throws passes at once.
 */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await condition();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(50);
  }
}
