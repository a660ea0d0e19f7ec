import { readFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { ErrorMessage } from "@headrace/contract";
import { UserError } from "./errors.ts";

/** How to reach a worker, from the command line. */
export interface RestOptions {
  readonly connect: string;
  readonly user?: string | undefined;
  readonly "token-file"?: string | undefined;
  readonly ca?: string | undefined;
}

/** The options that every command with `--connect` takes. */
export const REST_OPTIONS = {
  connect: { type: "string" },
  user: { type: "string" },
  "token-file": { type: "string" },
  ca: { type: "string" },
} as const;

export const REST_HELP = `  --connect URL       a worker's REST API, for instance http://localhost:8083
  --user NAME:PASSWORD  credentials; better in HEADRACE_CONNECT_USER
  --token-file FILE   file with a bearer token
  --ca FILE           certificates of the authorities to trust, PEM
`;

/** A worker's REST API. */
export interface RestClient {
  /** Sends one request within 30 s; answers status and JSON body. Throws UserError if nobody answers. */
  send(method: string, path: string, body?: unknown): Promise<RestAnswer>;
  /** As `send`, and throws UserError with the worker's words unless the status is 2xx. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
}

export interface RestAnswer {
  readonly status: number;
  readonly body: unknown;
}

const TIMEOUT_MS = 30_000;

/** Opens nothing yet; reads the files that the options name. */
export async function createRestClient(options: RestOptions): Promise<RestClient> {
  const base = parseUrl(options.connect);
  const headers = { accept: "application/json", ...(await authorization(options)) };
  const ca = options.ca === undefined ? undefined : await readSecret(options.ca);

  async function send(method: string, path: string, body?: unknown): Promise<RestAnswer> {
    const url = new URL(base.pathname.replace(/\/$/, "") + path, base);
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const begin = url.protocol === "https:" ? httpsRequest : httpRequest;
    const { promise, resolve, reject } = Promise.withResolvers<RestAnswer>();
    const sent = begin(
      url,
      {
        method,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: { ...headers, ...(payload === undefined ? {} : { "content-type": "application/json" }) },
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        text(response)
          .then((answer) => resolve({ status: response.statusCode ?? 0, body: parseJson(answer) }))
          .catch(reject);
      },
    );
    sent.on("error", reject);
    sent.end(payload);
    try {
      return await promise;
    } catch (error) {
      throw new UserError(`${method} ${url.href}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  return {
    send,
    async call(method, path, body) {
      const answer = await send(method, path, body);
      if (answer.status >= 200 && answer.status < 300) return answer.body;
      throw new UserError(`${method} ${path}: ${messageOf(answer)}`);
    },
  };
}

/** The worker's own words about a request that failed. */
export function messageOf({ status, body }: RestAnswer): string {
  const parsed = ErrorMessage.safeParse(body);
  return (parsed.success ? parsed.data.message : null) ?? `it answered ${status}`;
}

function parseUrl(given: string): URL {
  const url = URL.parse(given.includes("://") ? given : `http://${given}`);
  if (url === null) throw new UserError(`--connect ${given} is no URL`);
  return url;
}

async function authorization({ user, "token-file": file }: RestOptions): Promise<Readonly<Record<string, string>>> {
  if (file !== undefined) return { authorization: `Bearer ${(await readSecret(file)).trim()}` };
  if (user !== undefined) return { authorization: `Basic ${Buffer.from(user).toString("base64")}` };
  return {};
}

async function readSecret(file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    throw new UserError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
}

function parseJson(answer: string): unknown {
  if (answer === "") return undefined;
  try {
    return JSON.parse(answer);
  } catch {
    return answer;
  }
}
