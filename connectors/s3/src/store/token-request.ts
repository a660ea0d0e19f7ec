import { ConfigError, RetriableError } from "@headrace/sdk";

/** A request to a service that gives out credentials. */
export interface TokenRequest {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: URLSearchParams;
  /** For messages: what was asked for. */
  readonly what: string;
}

const TIMEOUT_MS = 15_000;

/** The text of the answer. Throws RetriableError if there is none or the service has trouble, ConfigError if it refuses. */
export async function requestToken(request: TokenRequest, signal: AbortSignal): Promise<string> {
  const { url, method, headers = {}, body, what } = request;
  let answer: { readonly status: number; readonly text: string };
  try {
    const response = await fetch(url, {
      method,
      headers: { accept: "application/json, text/xml", ...headers },
      ...(body !== undefined && { body }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    answer = { status: response.status, text: await response.text() };
  } catch (cause) {
    signal.throwIfAborted();
    throw new RetriableError(`${what}: no answer from ${new URL(url).origin}`, { cause });
  }
  if (answer.status >= 200 && answer.status < 300) return answer.text;
  const message = `${what}: ${new URL(url).origin} answered ${answer.status}: ${answer.text.slice(0, 300)}`;
  if (answer.status === 429 || answer.status >= 500) throw new RetriableError(message);
  throw new ConfigError(message);
}
