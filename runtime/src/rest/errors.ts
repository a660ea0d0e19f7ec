import type { ErrorMessage } from "@headrace/contract";
import type { FastifyError, FastifyReply } from "fastify";
import { ConnectError, type ErrorCode } from "../errors.ts";
import type { Logger } from "../log.ts";

/** The HTTP status of each error code (contract §5.0, §5.8). */
const HTTP_STATUS = {
  "bad-request": 400,
  "config-invalid": 400,
  forbidden: 403,
  "invalid-signature": 403,
  "not-found": 404,
  "already-exists": 409,
  conflict: 409,
  rebalance: 409,
  unavailable: 503,
  timeout: 500,
  kafka: 500,
  "kafka-access": 500,
  fenced: 500,
  "executor-gone": 500,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

/** Status texts of errors that Fastify finds, as Jersey words them. */
const JERSEY_TEXT: Readonly<Record<number, string>> = {
  404: "HTTP 404 Not Found",
  405: "HTTP 405 Method Not Allowed",
  406: "HTTP 406 Not Acceptable",
  413: "HTTP 413 Request Entity Too Large",
  415: "HTTP 415 Unsupported Media Type",
};

/** An error that is answered with this status, and Jersey's text for it. */
export function statusError(statusCode: 405 | 406 | 415): Error {
  return Object.assign(new Error(JERSEY_TEXT[statusCode]), { statusCode });
}

/** The status and body of an error; whatever is not known is a 500 (contract §5.0). */
export function toErrorMessage(error: unknown): ErrorMessage {
  if (error instanceof ConnectError) return { error_code: HTTP_STATUS[error.code], message: error.message };
  const status = isFastifyError(error) ? (error.statusCode ?? 500) : 500;
  const message = error instanceof Error ? error.message : String(error);
  return { error_code: status, message: JERSEY_TEXT[status] ?? message };
}

/** Answers a request with an error. */
export async function sendError(reply: FastifyReply, error: unknown, log: Logger): Promise<void> {
  const body = toErrorMessage(error);
  if (body.error_code >= 500)
    log.warn({ url: reply.request.url, method: reply.request.method, error }, "request failed");
  await reply.code(body.error_code).send(body);
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number";
}
