/** The promise's result, or a rejection with `signal.reason` as soon as `signal` aborts; the promise itself goes on unwatched then. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return await Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", abort));
}
