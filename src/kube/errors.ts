import { z } from "zod";

/** What went wrong, as callers tell it apart. */
export type KubeErrorCode =
  /** The object, its namespace or its whole resource type does not exist. */
  | "not-found"
  /** The object was changed by somebody else since it was read, or is another one than the named uid. */
  | "conflict"
  | "already-exists"
  /** The server asks to come back later. */
  | "too-many-requests"
  /** The resourceVersion or continue token is too old: list again. */
  | "expired"
  | "forbidden"
  /** The credentials were not accepted. */
  | "unauthorized"
  /** The server refuses the request or the object as it is; the same again would be refused again. */
  | "invalid"
  /** No answer within the deadline, the server's or ours. */
  | "timeout"
  /** The server failed, cannot be reached, or hung up. */
  | "unavailable"
  /** What came back is not what the API would say. */
  | "malformed"
  /** Nothing was sent: we are not the leader, or not any more. */
  | "fenced";

/** One entry of a Status's `details.causes`. */
export interface KubeErrorCause {
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly field?: string | undefined;
}

/** The API's answer as far as there was one. */
export interface KubeErrorFacts {
  /** HTTP status; null if there was no answer. */
  readonly status: number | null;
  /** `metav1.Status.reason`, "" if there was none. */
  readonly reason: string;
  readonly causes: readonly KubeErrorCause[];
  /** How long the server asked us to wait. */
  readonly retryAfterMs: number | null;
}

const NO_ANSWER: KubeErrorFacts = { status: null, reason: "", causes: [], retryAfterMs: null };

/** A call to the Kubernetes API that failed. Branch on `code`. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: KubeErrorCode;
  readonly status: number | null;
  readonly reason: string;
  readonly causes: readonly KubeErrorCause[];
  readonly retryAfterMs: number | null;

  constructor(code: KubeErrorCode, message: string, facts: Partial<KubeErrorFacts> = {}, options?: ErrorOptions) {
    super(message, options);
    const { status, reason, causes, retryAfterMs } = { ...NO_ANSWER, ...facts };
    this.code = code;
    this.status = status;
    this.reason = reason;
    this.causes = causes;
    this.retryAfterMs = retryAfterMs;
  }
}

/** True for a KubeError with one of these codes. */
export function isKubeError(error: unknown, ...codes: readonly KubeErrorCode[]): error is KubeError {
  return error instanceof KubeError && (codes.length === 0 || codes.includes(error.code));
}

/** By `metav1.Status.reason` (apimachinery `meta/v1/types.go`); more exact than the HTTP status. */
const CODE_BY_REASON: Readonly<Record<string, KubeErrorCode>> = {
  NotFound: "not-found",
  Conflict: "conflict",
  AlreadyExists: "already-exists",
  TooManyRequests: "too-many-requests",
  Expired: "expired",
  Gone: "expired",
  Forbidden: "forbidden",
  Unauthorized: "unauthorized",
  Invalid: "invalid",
  BadRequest: "invalid",
  MethodNotAllowed: "invalid",
  NotAcceptable: "invalid",
  UnsupportedMediaType: "invalid",
  RequestEntityTooLarge: "invalid",
  Timeout: "timeout",
  ServerTimeout: "timeout",
  InternalError: "unavailable",
  ServiceUnavailable: "unavailable",
  StorageReadError: "unavailable",
};

const CODE_BY_STATUS: Readonly<Record<number, KubeErrorCode>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not-found",
  408: "timeout",
  409: "conflict",
  410: "expired",
  429: "too-many-requests",
  504: "timeout",
};

/** The code for an answer of the API: by reason, else by HTTP status. */
export function classify(status: number, reason: string): KubeErrorCode {
  const code = CODE_BY_REASON[reason] ?? CODE_BY_STATUS[status];
  if (code !== undefined) return code;
  if (status >= 500) return "unavailable";
  return status >= 400 ? "invalid" : "malformed";
}

const StatusBody = z.object({
  kind: z.literal("Status"),
  code: z.number().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  details: z
    .object({
      retryAfterSeconds: z.number().optional(),
      causes: z
        .array(
          z.object({ reason: z.string().optional(), message: z.string().optional(), field: z.string().optional() }),
        )
        .optional(),
    })
    .optional(),
});

/**
 * The error for a `metav1.Status`, from the body of a failed call or from an ERROR event of a watch. Anything else that
 * is no Status (a proxy's HTML page, say) counts by its HTTP status alone.
 */
export function toKubeError(doing: string, status: number, body: unknown, retryAfterMs: number | null): KubeError {
  const parsed = StatusBody.safeParse(body);
  if (!parsed.success) {
    return new KubeError(classify(status, ""), `${doing}: the API answered ${status}`, { status, retryAfterMs });
  }
  const { code = status, reason = "", message = reason, details } = parsed.data;
  const seconds = details?.retryAfterSeconds;
  return new KubeError(classify(code, reason), `${doing}: ${message || `the API answered ${code}`}`, {
    status: code,
    reason,
    causes: details?.causes ?? [],
    retryAfterMs: retryAfterMs ?? (seconds === undefined || seconds <= 0 ? null : seconds * 1000),
  });
}
