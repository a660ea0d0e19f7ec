import { setTimeout as sleep } from "node:timers/promises";

/** Asks every `intervalMs` until the answer is truthy and resolves with it. Throws what `describe` says after `timeoutMs`. */
export async function until<T>(
  ask: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  describe: () => string,
  { timeoutMs, intervalMs = 50 }: { readonly timeoutMs: number; readonly intervalMs?: number },
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs / 1000} s: ${describe()}`);
    await sleep(intervalMs);
  }
}
