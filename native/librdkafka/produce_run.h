/* What our build of librdkafka has beside its own functions (`dev/setup/librdkafka-changes.ts`). */
#ifndef HEADRACE_PRODUCE_RUN_H
#define HEADRACE_PRODUCE_RUN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rd_kafka_topic_s;

/* Records that a run may have. */
#define HEADRACE_RUN_MAX 256

/* A record without headers, whose time is now. Without key: `key` is null; a tombstone: `value` is null. */
typedef struct headrace_record_s {
  const void* key;
  size_t key_length;
  const void* value;
  size_t length;
  void* opaque;
} headrace_record_t;

/*
 * Queues a run of 1 to HEADRACE_RUN_MAX records of one topic: one look at the room that is left, and for each partition one allocation and one
 * lock. Records are copied; none may be larger than message.max.bytes. Returns how many were queued, from the first on: fewer than
 * `count` if the queue is full. -1: not possible in this way now (the topic is not known yet, or the client has ended); nothing was queued,
 * and rd_kafka_produce_batch does it or says why not.
 */
int headrace_produce_run(struct rd_kafka_topic_s* topic, const headrace_record_t* records, int count);

#ifdef __cplusplus
}
#endif

#endif
