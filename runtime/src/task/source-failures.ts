/** Failures that say nothing about the record itself: it was never offered to Kafka, so it is never skipped. */
export const NOT_THE_RECORD: ReadonlySet<string> = new Set([
  "_PURGE_QUEUE",
  "_PURGE_INFLIGHT",
  "_DESTROY",
  "_FATAL",
  "_FENCED",
]);
