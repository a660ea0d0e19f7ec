import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ConnectError } from "../errors.ts";
import { type JsonBody, UNTYPED } from "./body.ts";
import { statusError } from "./errors.ts";

/** One request as a resource sees it. */
export interface Incoming {
  /** Path parameters, decoded. */
  readonly param: (name: string) => string;
  readonly query: URLSearchParams;
  readonly body: JsonBody;
  readonly authorization: string | undefined;
  readonly header: (name: string) => string | undefined;
  readonly reply: FastifyReply;
}

/** An answer: neither `body` nor `text` means an empty one. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  /** JSON as it is sent, where a body could not hold all of it. */
  readonly text?: string;
  readonly location?: string;
}

export type Handle = (incoming: Incoming) => Promise<Answer> | Answer;

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** Media ranges that JSON is in. */
const ACCEPTED = /(?:^|,)\s*(?:application\/(?:json|\*)|\*\/\*)\s*(?:[;,]|$)/i;

/** Serves a path; methods that it does not have are the contract's 405. */
export function resource(
  app: FastifyInstance,
  path: string,
  handlers: Partial<Record<(typeof METHODS)[number], Handle>>,
): void {
  for (const method of [...METHODS, "TRACE"] as const) {
    const handle = method === "TRACE" ? undefined : handlers[method];
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        if (handle === undefined) throw statusError(405);
        const { accept } = request.headers;
        if (accept !== undefined && !ACCEPTED.test(accept)) throw statusError(406);
        const answer = await handle(toIncoming(request, reply));
        if (answer.location !== undefined) reply.header("location", answer.location);
        if (answer.text !== undefined) return reply.code(answer.status).type("application/json").send(answer.text);
        if (answer.body !== undefined) return reply.code(answer.status).send(answer.body);
        return reply.code(answer.status).send();
      },
    });
  }
  const allowed = [...(handlers.GET === undefined ? [] : ["HEAD"]), ...METHODS.filter((method) => method in handlers)];
  app.options(path, (_request, reply) => {
    const allow = [...allowed, "OPTIONS"].join(", ");
    return reply.header("allow", allow).type("text/plain").send(allow);
  });
}

function toIncoming(request: FastifyRequest, reply: FastifyReply): Incoming {
  const { params, body } = request;
  const header = (name: string) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  return {
    param(name) {
      const value = isRecord(params) ? params[name] : undefined;
      if (typeof value !== "string") throw new Error(`the path has no parameter ${name}`);
      return value;
    },
    query: new URLSearchParams(request.url.split("?", 2)[1] ?? ""),
    get body() {
      if (!isJsonBody(body)) return { raw: Buffer.alloc(0), json: undefined };
      if (body.json === UNTYPED) throw statusError(415);
      return body;
    },
    authorization: request.headers.authorization,
    header,
    reply,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isJsonBody(value: unknown): value is JsonBody {
  return isRecord(value) && Buffer.isBuffer(value["raw"]);
}

/** The task number in a path; anything else is not found, as with Java's `{task}` of type Integer. */
export function taskNumber(text: string): number {
  const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= -(2 ** 31) && number < 2 ** 31) return number;
  throw new ConnectError("not-found", "HTTP 404 Not Found");
}
