import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits; true when `ms` have passed, false when `signal` aborted first. Never rejects. With `ref: false` the wait keeps no process alive.
 */
export async function pause(
  ms: number,
  signal: AbortSignal,
  { ref = true }: { readonly ref?: boolean } = {},
): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref });
    return true;
  } catch {
    return false;
  }
}
