import { setTimeout as sleep } from "node:timers/promises";
import { type BackOff, backOffMs } from "../back-off.ts";
import { withDeadline } from "../deadline.ts";
import { isKubeError, KubeError, toKubeError } from "./errors.ts";
import { type Http, type HttpRequest, type HttpResponse, readText } from "./http.ts";
import { createLimiter } from "./limiter.ts";

/** A call and what it is, in words: `getting pods a/b`. */
export interface ApiRequest extends HttpRequest {
  readonly doing: string;
}

/** Calls with a deadline each, a bounded number at a time. */
export interface ApiCaller {
  /** The decoded JSON body of a 2xx answer; KubeError otherwise. */
  call(request: ApiRequest, signal: AbortSignal): Promise<unknown>;
  /** Opens an answer that goes on for ever. Only its headers have a deadline; not counted as a call. */
  stream(request: ApiRequest, signal: AbortSignal): Promise<HttpResponse>;
}

/** Told of every answer; `status` is null if there was none. */
export type CallObserver = (method: string, status: number | null) => void;

export interface ApiCallerOptions {
  readonly http: Http;
  /** Deadline of one call with its repeats. */
  readonly timeoutMs: number;
  readonly maxConcurrentCalls: number;
  readonly random: () => number;
  /** Called right before everything that writes; throws if we may not write any more. */
  readonly fence?: () => void;
  readonly observe?: CallObserver;
  /** Told of the time in which the API server works on a call, and of that for which it asks to be left alone. */
  readonly waiting?: <R>(wait: () => Promise<R>) => Promise<R>;
}

/** Settings for a real API server. */
export const API_CALL_DEFAULTS = { timeoutMs: 15_000, maxConcurrentCalls: 32, random: Math.random } as const;

const BUSY: BackOff = { baseMs: 500, maxMs: 5_000 };

/**
 * Repeats what is safe to repeat: everything the server turned away unread (429, or 5xx with Retry-After), reads and
 * applies whose connection broke, once, and anything once after a 401, with credentials read anew.
 */
export function createApiCaller(options: ApiCallerOptions): ApiCaller {
  const { http, timeoutMs, maxConcurrentCalls, random, fence, observe, waiting = (wait) => wait() } = options;
  const limiter = createLimiter(maxConcurrentCalls);

  async function send(request: ApiRequest, signal: AbortSignal): Promise<HttpResponse> {
    try {
      const response = await http.send(request, signal);
      observe?.(request.method, response.status);
      return response;
    } catch (error) {
      observe?.(request.method, null);
      throw error;
    }
  }

  async function once(request: ApiRequest, signal: AbortSignal): Promise<unknown> {
    if (request.method !== "GET") fence?.();
    const response = await send(request, signal);
    const text = await readText(response);
    if (response.status >= 200 && response.status < 300) return parseBody(request, response, text);
    throw errorOf(request, response, text);
  }

  async function attempts(request: ApiRequest, endsAt: number, signal: AbortSignal): Promise<unknown> {
    let reconnected = false;
    let reauthorized = false;
    for (let failures = 1; ; failures += 1) {
      try {
        return await limiter.run(() => waiting(() => once(request, signal)), signal);
      } catch (error) {
        if (!(error instanceof KubeError)) throw error;
        if (error.code === "unauthorized" && !reauthorized) {
          reauthorized = true;
          http.refreshCredentials();
          continue;
        }
        if (error.status === null && isRepeatable(request) && !reconnected) {
          reconnected = true;
          continue;
        }
        const delayMs =
          turnedAwayMs(error) ?? (error.code === "too-many-requests" ? backOffMs(BUSY, failures, random) : null);
        if (delayMs === null || performance.now() + delayMs >= endsAt) throw error;
        await waiting(() => sleep(delayMs, undefined, { signal }));
      }
    }
  }

  async function bounded<R>(request: ApiRequest, work: (signal: AbortSignal) => Promise<R>, signal: AbortSignal) {
    try {
      return await withDeadline(timeoutMs, work, signal);
    } catch (error) {
      if (signal.aborted || isKubeError(error)) throw error;
      if (!(error instanceof DOMException || (error instanceof Error && error.name === "AbortError"))) throw error;
      throw new KubeError("timeout", `${request.doing}: no answer within ${timeoutMs} ms`, {}, { cause: error });
    }
  }

  return {
    call: (request, signal) =>
      bounded(request, (inner) => attempts(request, performance.now() + timeoutMs, inner), signal),
    async stream(request, signal) {
      const connection = new AbortController();
      const abort = () => connection.abort(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      try {
        const response = await bounded(
          request,
          async (inner) => {
            inner.addEventListener("abort", () => connection.abort(inner.reason), { once: true });
            const answer = await send(request, connection.signal);
            if (answer.status === 200) return answer;
            if (answer.status === 401) http.refreshCredentials();
            throw errorOf(request, answer, await readText(answer));
          },
          signal,
        );
        return { ...response, body: releasing(response.body, () => signal.removeEventListener("abort", abort)) };
      } catch (error) {
        signal.removeEventListener("abort", abort);
        connection.abort();
        throw error;
      }
    },
  };
}

async function* releasing(body: AsyncIterable<Buffer>, release: () => void): AsyncIterable<Buffer> {
  try {
    yield* body;
  } finally {
    release();
  }
}

function isRepeatable({ method, contentType }: ApiRequest): boolean {
  return method === "GET" || contentType === "application/apply-patch+yaml";
}

function turnedAwayMs({ status, retryAfterMs }: KubeError): number | null {
  return status !== null && (status === 429 || status >= 500) ? retryAfterMs : null;
}

function parseBody({ doing }: ApiRequest, { status }: HttpResponse, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KubeError("malformed", `${doing}: the answer is not JSON`, { status }, { cause });
  }
}

function errorOf({ doing }: ApiRequest, { status, retryAfterMs }: HttpResponse, text: string): KubeError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return toKubeError(doing, status, body, retryAfterMs);
}
