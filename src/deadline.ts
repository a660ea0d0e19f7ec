/**
 * Runs `work` with a signal that aborts after `timeoutMs` (reason: a DOMException named `TimeoutError`) or together with
 * `signal`, and takes its timer and listener away when the work has ended. `work` must listen to its signal.
 */
export async function withDeadline<R>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<R>,
  signal: AbortSignal,
): Promise<R> {
  signal.throwIfAborted();
  const bounded = new AbortController();
  const abort = () => bounded.abort(signal.reason);
  const timer = setTimeout(
    () => bounded.abort(new DOMException(`no answer within ${timeoutMs} ms`, "TimeoutError")),
    timeoutMs,
  );
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await work(bounded.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
