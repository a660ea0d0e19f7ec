import { setImmediate as nextTurn } from "node:timers/promises";

/** The promise's result, or a rejection with `signal.reason` as soon as `signal` aborts; the promise itself goes on unwatched then. */
export async function abortable<T>(promise: T | Promise<T>, signal: AbortSignal): Promise<T> {
  if (!(promise instanceof Promise)) return promise;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Whether the promise settles within `ms`, however it does; it goes on by itself otherwise. Never rejects. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = Promise.withResolvers<boolean>();
  const timeout = setTimeout(() => timer.resolve(false), ms);
  const settled = () => true;
  try {
    return await Promise.race([promise.then(settled, settled), timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}

/** Lets timers and messages in when the last turn of the event loop is longer ago than a few milliseconds. */
export function createTurnKeeper(now: () => number): () => Promise<void> | null {
  let lastTurn = now();
  return () => {
    if (now() - lastTurn < TURN_MS) return null;
    return nextTurn().then(() => {
      lastTurn = now();
    });
  };
}

/** Longest that a task may keep the event loop to itself. */
const TURN_MS = 5;
