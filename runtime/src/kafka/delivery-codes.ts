/**
 * Failures that say nothing about the record itself: it was never offered to Kafka, or was taken along by another one, or its producer has
 * lost its way. It is never skipped for them. Source: librdkafka 2.12, rd_kafka_handle_Produce_error, rd_kafka_check_produce,
 * rd_kafka_idemp_check_error.
 */
export const NOT_THE_RECORD: ReadonlySet<string> = new Set([
  // Dropped when its producer stopped or was closed.
  "_PURGE_QUEUE",
  "_PURGE_INFLIGHT",
  "_DESTROY",
  // Another record of its batch is invalid.
  "_INVALID_DIFFERENT_RECORD",
  // Its producer has ended. A record that comes then is told on the spot, by this or by the reason of the end.
  "_FATAL",
  "_FENCED",
  "_GAPLESS_GUARANTEE",
  "_INCONSISTENT",
  "_STATE",
  "_UNSUPPORTED_FEATURE",
  "CLUSTER_AUTHORIZATION_FAILED",
  "INVALID_PRODUCER_EPOCH",
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
]);
