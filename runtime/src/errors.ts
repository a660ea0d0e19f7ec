/**
 * The worker's one error class. The code carries the meaning; `rest/` maps it to an HTTP status in a table.
 */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type ErrorCode =
  | "bad-request"
  | "not-found"
  | "already-exists"
  | "conflict"
  | "rebalance"
  | "forbidden"
  | "invalid-signature"
  | "unavailable"
  | "timeout"
  | "config-invalid"
  | "kafka"
  /** Kafka, or what gives out its tokens, does not let us in, or is not who it should be. Passes when somebody corrects it. */
  | "kafka-access"
  | "fenced"
  | "executor-gone"
  | "internal";
