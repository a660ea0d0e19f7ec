import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RetriableError } from "@headrace/sdk";
import { AwsV4Signer } from "aws4fetch";
import type { Credentials, KeptCredentials } from "./credentials.ts";
import { adviceFor, isExpired, isTransient, S3Error } from "./failure.ts";
import { textOf } from "./xml.ts";

export interface Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** An answer of success; its body has to be read to the end, one way or the other. */
export interface Answer {
  header(name: string): string | null;
  text(): Promise<string>;
  /** Rejects with RetriableError when the server falls silent or goes away in the middle. */
  chunks(): AsyncIterable<Uint8Array>;
}

export interface SenderOptions {
  readonly credentials: KeptCredentials;
  readonly region: string;
  /** Longest time without a sign of the server, ms. */
  readonly timeoutMs: number;
  /** Tries after the first. */
  readonly retries: number;
  /** Pause before the first of them, doubled each time, ms. */
  readonly backoffMs: number;
  readonly random: () => number;
  /** Told of each request that is sent. */
  readonly sent: () => void;
}

/** Signs and sends requests, again if they fail for a passing reason. */
export interface Sender {
  /** Rejects with S3Error, or with RetriableError when the server has not taken the request after all tries. */
  send(request: Request, signal: AbortSignal): Promise<Answer>;
}

/** A body gets so much more time than a request without one. */
const SLOWEST_BYTES_PER_MS = 200;
const MAX_BACKOFF_MS = 20_000;

export function createSender(options: SenderOptions): Sender {
  const { credentials, region, timeoutMs, retries, backoffMs, random, sent } = options;

  async function attempt(request: Request, signal: AbortSignal): Promise<Answer> {
    const { method, body } = request;
    const stalled = new AbortController();
    const either = AbortSignal.any([signal, stalled.signal]);
    const watch = (extraMs: number) => setTimeout(() => stalled.abort(), timeoutMs + extraMs);
    const shown = `${method} ${request.url.replace(/\?.*$/, "")}`;
    const silent = (cause: unknown) => {
      signal.throwIfAborted();
      const why = stalled.signal.aborted ? `no answer for ${timeoutMs} ms` : reasonOf(cause);
      return new S3Error(`${shown}: ${why}`, { status: 0, code: "", cause });
    };
    const headers = await signed(request, await credentials.get(signal), region);
    sent();
    const timer = watch((body?.length ?? 0) / SLOWEST_BYTES_PER_MS);
    try {
      const response = await fetch(request.url, {
        method,
        headers,
        ...(body !== undefined && { body }),
        redirect: "manual",
        signal: either,
      });
      const answer: Answer = {
        header: (name) => response.headers.get(name),
        async text() {
          let whole = "";
          const decoder = new TextDecoder();
          for await (const chunk of answer.chunks()) whole += decoder.decode(chunk, { stream: true });
          return whole + decoder.decode();
        },
        async *chunks() {
          if (response.body === null) return;
          const reader = response.body.getReader();
          try {
            for (;;) {
              const armed = watch(0);
              const { done, value } = await reader.read().finally(() => clearTimeout(armed));
              if (done) return;
              yield value;
            }
          } catch (cause) {
            const { message } = silent(cause);
            throw new RetriableError(message, { cause });
          } finally {
            await reader.cancel().catch(() => {}); // It is over, well or badly; the cause is told already.
          }
        },
      };
      if (response.status >= 200 && response.status < 300)
        return mayFailLate(request) ? await unlessError(answer, shown) : answer;
      throw refusal(shown, response, method === "HEAD" ? "" : await answer.text());
    } catch (cause) {
      if (cause instanceof S3Error || cause instanceof RetriableError) throw cause;
      throw silent(cause);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async send(request, signal) {
      for (let tries = 0; ; tries += 1) {
        try {
          return await attempt(request, signal);
        } catch (error) {
          if (!(error instanceof S3Error)) throw error;
          // Answers to HEAD have no code; this is the status of credentials that have ended.
          const untold = request.method === "HEAD" && error.status === 400;
          const expired = isExpired(error) || untold;
          if (expired) credentials.forget();
          if (!expired && !isTransient(error)) throw error;
          if (tries >= retries) {
            if (untold) throw error;
            const message = tries === 0 ? error.message : `${error.message}, after ${tries} retries`;
            throw new RetriableError(message, { cause: error });
          }
          const longest = Math.min(backoffMs * 2 ** tries, MAX_BACKOFF_MS);
          await sleep(longest * (0.5 + random() / 2), undefined, { signal });
        }
      }
    },
  };
}

/** CompleteMultipartUpload and CopyObject begin their answer before they know how it ends: an error may come with status 200. */
const mayFailLate = ({ method, headers }: Request): boolean =>
  method === "POST" || headers?.["x-amz-copy-source"] !== undefined;

async function unlessError(answer: Answer, shown: string): Promise<Answer> {
  const xml = await answer.text();
  const code = /<Error>/.test(xml) ? (textOf(xml, "Code") ?? "") : null;
  if (code !== null)
    throw new S3Error(`${shown} ended with ${code}: ${textOf(xml, "Message") ?? ""}`, { status: 200, code });
  return { ...answer, text: async () => xml };
}

function refusal(
  shown: string,
  response: { readonly status: number; readonly headers: Headers },
  xml: string,
): S3Error {
  const { status, headers } = response;
  const code = textOf(xml, "Code") ?? (status >= 300 && status < 400 ? "PermanentRedirect" : "");
  const region = headers.get("x-amz-bucket-region");
  const elsewhere =
    region !== null && status >= 300 && status < 500 && status !== 403 ? `; the bucket's region is ${region}` : "";
  const message = textOf(xml, "Message") ?? xml.slice(0, 200);
  const told = [code, message].filter((part) => part !== "").join(": ");
  return new S3Error(`${shown} answered ${status} ${told}${elsewhere}${adviceFor(code, status)}`, { status, code });
}

async function signed(
  { method, url, headers = {}, body }: Request,
  credentials: Credentials,
  region: string,
): Promise<Headers> {
  if (credentials.kind === "bearer") return new Headers({ ...headers, authorization: `Bearer ${credentials.token}` });
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const signer = new AwsV4Signer({
    method,
    url,
    headers: { ...headers, "x-amz-content-sha256": hash("sha256", body ?? "", "hex") },
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    service: "s3",
    region,
  });
  return (await signer.sign()).headers;
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner: unknown = cause.cause;
  return inner instanceof Error ? inner.message || inner.name : cause.message;
}
