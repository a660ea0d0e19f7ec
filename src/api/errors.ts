/** Why the API for people does not pass a request on, or what became of one that it did. */
export type ApiErrorCode =
  /** The request cannot be read. */
  | "malformed"
  /** No token, or nobody's. */
  | "unauthenticated"
  | "forbidden"
  | "not-found"
  | "method-not-allowed"
  | "too-large"
  /** Too much at a time. */
  | "busy"
  /** The worker broke off, or cannot be reached. */
  | "unreachable"
  /** Nobody is there who could answer now. */
  | "unavailable"
  /** The worker gave no answer within the deadline. */
  | "timeout";

/** A refusal; `message` is for the caller. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ApiErrorCode;

  constructor(code: ApiErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const HTTP_STATUS = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  "not-found": 404,
  "method-not-allowed": 405,
  "too-large": 413,
  busy: 429,
  unreachable: 502,
  unavailable: 503,
  timeout: 504,
} as const satisfies Record<ApiErrorCode, number>;

const HEADERS: Partial<Record<ApiErrorCode, Readonly<Record<string, string>>>> = {
  unauthenticated: { "www-authenticate": 'Bearer realm="headrace"' },
  "method-not-allowed": { allow: "GET, HEAD, PUT, POST, PATCH, DELETE" },
  busy: { "retry-after": "1" },
  unavailable: { "retry-after": "5" },
};

/** The answer, in the shape of Connect's own errors. What is no ApiError is a 500 that tells nothing. */
export function toAnswer(error: unknown): {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
} {
  const known = error instanceof ApiError ? error : null;
  const status = known === null ? 500 : HTTP_STATUS[known.code];
  const message = known?.message ?? "The operator failed; its log says why.";
  return {
    status,
    headers: { "content-type": "application/json", ...(known === null ? {} : HEADERS[known.code]) },
    body: JSON.stringify({ error_code: status, message }),
  };
}
