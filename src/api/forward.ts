import { withDeadline } from "../deadline.ts";
import type { Endpoint, Worker } from "../worker/connect-client.ts";
import type { WorkerFetch } from "../worker/fetch.ts";
import { ApiError } from "./errors.ts";

/** How workers are reached: with the operator's own certificate. */
export interface ForwardDeps {
  readonly endpoint: (worker: Worker, signal: AbortSignal) => Endpoint | Promise<Endpoint>;
  readonly fetch: WorkerFetch;
  /** Deadline of the answer's headers, ms. */
  readonly answerMs: number;
}

/** A request as the worker gets it. */
export interface WorkerBound {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Nobody has listened: nothing was done. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"]);

/**
 * The first worker's answer, once its headers are in. Another one is asked if nobody listens at the first, and what only reads also if the
 * connection breaks; what writes is never sent twice. Throws ApiError `unreachable` or `timeout`; what `signal` is aborted with.
 */
export async function forward(
  deps: ForwardDeps,
  workers: readonly Worker[],
  request: WorkerBound,
  signal: AbortSignal,
): Promise<{ readonly worker: Worker; readonly response: Response }> {
  const reads = request.method === "GET" || request.method === "HEAD";
  let last: ApiError = new ApiError("unavailable", "No worker of the cluster is ready.");
  for (const worker of workers) {
    try {
      return { worker, response: await send(deps, worker, request, signal) };
    } catch (error) {
      signal.throwIfAborted();
      last = toApiError(error, reads);
      if (!reads && !NOT_CONNECTED.has(codeOf(error))) throw last;
    }
  }
  throw last;
}

function send(
  { endpoint, fetch, answerMs }: ForwardDeps,
  worker: Worker,
  { method, path, headers, body }: WorkerBound,
  signal: AbortSignal,
): Promise<Response> {
  return withDeadline(
    answerMs,
    async (deadline) => {
      const { url, tls, headers: own } = await endpoint(worker, deadline);
      const request = {
        method,
        headers: { ...own, ...headers },
        ...(body === undefined ? {} : { body }),
        ...(tls === undefined ? {} : { tls }),
      };
      return await fetch(url + path, request, AbortSignal.any([signal, deadline]));
    },
    signal,
  );
}

function toApiError(cause: unknown, reads: boolean): ApiError {
  if (cause instanceof DOMException && cause.name === "TimeoutError") {
    const outcome = reads ? "" : "; what was asked for may still happen";
    return new ApiError("timeout", `The worker did not answer in time${outcome}.`, { cause });
  }
  const outcome = reads || NOT_CONNECTED.has(codeOf(cause)) ? "" : "; what was asked for may have happened";
  return new ApiError("unreachable", `The worker cannot be reached, or broke off${outcome}.`, { cause });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
