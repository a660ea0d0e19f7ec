import { ConnectError } from "../errors.ts";

/** What kafkajs's errors mean to us. They are told apart by name and protocol type, never by message. */

/** Errors after which a connection is of no use any more. */
const CONNECTION_ERRORS = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSLockTimeout",
  "KafkaJSBrokerNotFound",
  "KafkaJSNoBrokerAvailableError",
  // Of a connection that was to authenticate again; a new one tells whether the credentials are wrong.
  "KafkaJSSASLAuthenticationError",
]);

/** Answers to an attempt to authenticate. */
const SASL_TYPES = new Set(["SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM", "ILLEGAL_SASL_STATE"]);

/** Protocol errors that pass by themselves, or with fresh metadata. Source: org.apache.kafka.common.protocol.Errors (RetriableException). */
const RETRIABLE_TYPES = new Set([
  "CORRUPT_MESSAGE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_FOR_PARTITION",
  "REQUEST_TIMED_OUT",
  "BROKER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "NETWORK_EXCEPTION",
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "NOT_CONTROLLER",
  "KAFKA_STORAGE_ERROR",
  "FETCH_SESSION_ID_NOT_FOUND",
  "INVALID_FETCH_SESSION_EPOCH",
  "LISTENER_NOT_FOUND",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "OFFSET_NOT_AVAILABLE",
  "CONCURRENT_TRANSACTIONS",
  "UNSTABLE_OFFSET_COMMIT",
]);

/** The innermost kafkajs error: its retrier wraps what it gave up on. */
function root(error: unknown): unknown {
  let current = error;
  while (current instanceof Error && current.name === "KafkaJSNumberOfRetriesExceeded" && current.cause) {
    current = current.cause;
  }
  return current;
}

/** Kafka's name of a protocol error, for instance `TOPIC_ALREADY_EXISTS`; null for all other errors. */
export function kafkaErrorType(error: unknown): string | null {
  const inner = root(error);
  if (!(inner instanceof Error) || !("type" in inner) || typeof inner.type !== "string") return null;
  return inner.type;
}

/** The connection failed or fell silent; another one, or another broker, may do. */
export function isConnectionError(error: unknown): boolean {
  const inner = root(error);
  return inner instanceof Error && (CONNECTION_ERRORS.has(inner.name) || isSaslError(inner));
}

/** A broker did not accept who we are. */
export function isSaslError(error: unknown): boolean {
  const inner = root(error);
  const type = kafkaErrorType(inner);
  return (
    (inner instanceof Error && inner.name === "KafkaJSSASLAuthenticationError") ||
    (type !== null && SASL_TYPES.has(type))
  );
}

/** Nobody lets us in as things are; that passes when somebody corrects credentials or certificates. */
export function isAccessError(error: unknown): boolean {
  return error instanceof ConnectError && error.code === "kafka-access";
}

/** Worth another try with fresh metadata and after a pause. */
export function isRetriable(error: unknown): boolean {
  if (isConnectionError(error) || isAccessError(error)) return true;
  const type = kafkaErrorType(error);
  return type !== null && RETRIABLE_TYPES.has(type);
}

/** Kafka said no for lack of rights. */
export function isAuthorizationError(error: unknown): boolean {
  const type = kafkaErrorType(error);
  return type?.endsWith("_AUTHORIZATION_FAILED") === true;
}

/** What went wrong, in one line. */
export function errorMessage(error: unknown): string {
  const inner = root(error);
  return inner instanceof Error ? inner.message : String(inner);
}
