import { setTimeout as sleep } from "node:timers/promises";

/** A wait of the test's own that took too long: never what a connector has thrown. */
export class WaitError extends Error {
  override readonly name = "WaitError";
}

/** The promise's result, or an error that says what did not end within `timeoutMs`. */
export async function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: done.signal }).then(() => {
    throw new WaitError(`${what} did not end within ${timeoutMs} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    done.abort();
    late.catch(() => {}); // Its rejection is the end of the wait.
  }
}

const TICK_MS = 10;

/**
 * As {@link within}, by a clock that is late when this process is: for what has to be prompt, on a busy machine as well. It never tells of a
 * delay that this process has had itself.
 */
export async function soon<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  let ended = false;
  const end = () => {
    ended = true;
  };
  promise.then(end, end);
  for (let leftMs = timeoutMs; leftMs > 0 && !ended; leftMs -= TICK_MS) await sleep(TICK_MS);
  if (!ended) throw new WaitError(`${what} did not end within ${timeoutMs} ms`);
  return await promise;
}

/** Waits until the condition holds. Fails after `timeoutMs` with what was awaited. */
export async function until(
  timeoutMs: number,
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new WaitError(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

/**
 * Lets run what runs at once, requests on loopback included. For what must not happen: too short a rest hides a fault now and then, but
 * never reports one that is none.
 */
export async function rest(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await sleep(5);
}
