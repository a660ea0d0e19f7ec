/** What an S3 server said instead of doing what it was asked. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  /** HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** S3's code, for instance `SlowDown`; empty if the answer had none. */
  readonly code: string;

  constructor(message: string, { status, code, cause }: { status: number; code: string; cause?: unknown }) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = code;
  }
}

const TRANSIENT_CODES = new Set([
  "InternalError",
  "OperationAborted",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequests",
]);

/** Whether the same request may succeed later: throttling, errors of the server, no answer at all. */
export function isTransient(error: S3Error): boolean {
  const { status, code } = error;
  return status === 0 || status === 408 || status === 429 || status >= 500 || TRANSIENT_CODES.has(code);
}

/** Whether the credentials were good once and are so no more. */
export function isExpired(error: S3Error): boolean {
  return (
    error.code === "ExpiredToken" || error.code === "ExpiredTokenException" || error.code === "TokenRefreshRequired"
  );
}

const ADVICE: Readonly<Record<string, string>> = {
  AccessDenied: "the credentials do not allow this: check the policy of the user or role, and the bucket's",
  AuthorizationHeaderMalformed: "check s3.region",
  InvalidAccessKeyId: "check aws.access.key.id",
  NoSuchBucket: "check s3.bucket.name, s3.region and store.url: the bucket has to be there",
  NoSuchUpload:
    "somebody else has aborted the upload: another task with the same objects, or a lifecycle rule of the bucket",
  PermanentRedirect: "the bucket is elsewhere: check s3.region and store.url",
  RequestTimeTooSkewed: "the clock of this machine is wrong",
  SignatureDoesNotMatch: "check aws.secret.access.key",
};

/** What a person may do about it; empty if nothing is known. */
export function adviceFor(code: string, status: number): string {
  const advice = ADVICE[code] ?? (status === 403 ? ADVICE["AccessDenied"] : undefined);
  return advice === undefined ? "" : ` (${advice})`;
}
