/**
 * The code that `headrace-worker check-kafka` ends with when it has found something wrong. Any other one says nothing about Kafka: an older image,
 * which does not know the command, ends with 1.
 */
export const KAFKA_REFUSED_CODE = 20;
