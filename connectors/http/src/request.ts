import { RetriableError } from "@headrace/sdk";
import type { Authorizer } from "./authorization.ts";

export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Sends requests, authorised; one that is refused for an outdated token is sent once more with a new one. */
export interface Sender {
  /** Rejects with RetriableError if there was no answer in time; redirects are answers. */
  send(request: Request, signal: AbortSignal): Promise<Answer>;
}

export function createSender(authorizer: Authorizer, timeoutMs: number): Sender {
  async function once(request: Request, signal: AbortSignal): Promise<Answer> {
    const authorization = await authorizer.header(signal);
    try {
      const response = await fetch(request.url, {
        method: request.method,
        redirect: "manual",
        headers: { ...request.headers, ...(authorization !== null && { authorization }) },
        ...(request.body !== undefined && { body: request.body }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      return { status: response.status, headers: response.headers, text: await response.text() };
    } catch (cause) {
      signal.throwIfAborted();
      const reason =
        cause instanceof Error && cause.name === "TimeoutError" ? `no answer within ${timeoutMs} ms` : "no connection";
      throw new RetriableError(`${request.method} ${shownUrl(request.url)}: ${reason}`, { cause });
    }
  }
  return {
    async send(request, signal) {
      const answer = await once(request, signal);
      return answer.status === 401 && authorizer.refused() ? await once(request, signal) : answer;
    },
  };
}

/** Without user, password and query, which may be secret. */
export function shownUrl(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? "the URL" : `${parsed.origin}${parsed.pathname}`;
}
