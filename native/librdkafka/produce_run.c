/*
 * Compiled as the end of librdkafka's rdkafka_msg.c (`dev/setup/librdkafka-changes.ts`), since it uses what only that file sees.
 *
 * For each record librdkafka looks at the room that is left, keeps the topic, finds the partition and its leader, locks its queue, asks the clock
 * and allocates; threads contend for most of that. Here it is done once for a run of records. What happens to them later is librdkafka's, but
 * for their end: the records of a run share one allocation, which goes with the last of them.
 */
#include "produce_run.h"

/* The head of the allocation that the records of a run share. */
struct headrace_run_s {
  rd_atomic32_t left;     /* Records that were not destroyed yet. */
  rd_kafka_topic_t* rkt;  /* Kept once for all of them. */
};

#define HEADRACE_ALIGN(bytes) RD_ROUNDUP(bytes, 16)

/* `count` records of the run are no more. */
static void headrace_run_release(headrace_run_t* run, int count) {
  rd_kafka_topic_t* rkt = run->rkt;
  if (rd_atomic32_sub(&run->left, count) > 0) return;
  rd_free(run);
  rd_kafka_topic_destroy0(rkt);
}

/* Destroys the messages of a queue. Those of runs give back their room at once, instead of one by one. */
void rd_kafka_msgq_purge(rd_kafka_t* rk, rd_kafka_msgq_t* rkmq) {
  headrace_run_t* run = NULL;
  int of_run = 0;
  unsigned int count = 0;
  size_t size = 0;
  rd_kafka_t* client = NULL;
  rd_kafka_msg_t* next;
  for (rd_kafka_msg_t* rkm = TAILQ_FIRST(&rkmq->rkmq_msgs); rkm != NULL; rkm = next) {
    next = TAILQ_NEXT(rkm, rkm_link);
    if (rkm->rkm_run == NULL) {
      rd_kafka_msg_destroy(rk, rkm);
      continue;
    }
    client = rkm->rkm_run->rkt->rkt_rk;
    count++;
    size += rkm->rkm_len;
    if (rkm->rkm_run != run) {
      if (run != NULL) headrace_run_release(run, of_run);
      run = rkm->rkm_run;
      of_run = 0;
    }
    of_run++;
  }
  rd_kafka_msgq_init(rkmq);
  /* First the room, since the run may be the last that keeps the topic. */
  if (count > 0) rd_kafka_curr_msgs_sub(client, count, size);
  if (run != NULL) headrace_run_release(run, of_run);
}

/* Takes room for as many of the records as fit; returns how many. */
static int headrace_take_room(rd_kafka_t* rk, const headrace_record_t* records, int count) {
  size_t size = 0;
  int fit = 0;
  mtx_lock(&rk->rk_curr_msgs.lock);
  while (fit < count &&
         (rk->rk_curr_msgs.max_cnt == 0 || rk->rk_curr_msgs.cnt + (unsigned int)fit + 1 <= rk->rk_curr_msgs.max_cnt) &&
         rk->rk_curr_msgs.size + size + records[fit].length <= rk->rk_curr_msgs.max_size) {
    size += records[fit].length;
    fit++;
  }
  rk->rk_curr_msgs.cnt += (unsigned int)fit;
  rk->rk_curr_msgs.size += size;
  mtx_unlock(&rk->rk_curr_msgs.lock);
  return fit;
}

/* The partition of each record, as rd_kafka_msg_partitioner has it; false if one is not there. The topic is locked for reading. */
static rd_bool_t headrace_place(rd_kafka_topic_t* rkt, const headrace_record_t* records, int count, int32_t* partitions) {
  const int32_t available = rkt->rkt_partition_cnt;
  const rd_bool_t empty_is_none = rkt->rkt_conf.partitioner == rd_kafka_msg_partitioner_consistent_random;
  int32_t sticky = RD_KAFKA_PARTITION_UA;
  for (int i = 0; i < count; i++) {
    const headrace_record_t* record = &records[i];
    if (record->key == NULL || (record->key_length == 0 && empty_is_none)) {
      if (sticky == RD_KAFKA_PARTITION_UA) {
        sticky = rd_kafka_msg_sticky_partition(rkt, record->key, record->key_length, available, rkt->rkt_conf.opaque, record->opaque);
      }
      partitions[i] = sticky;
    } else {
      partitions[i] =
          rkt->rkt_conf.partitioner(rkt, record->key, record->key_length, available, rkt->rkt_conf.opaque, record->opaque);
    }
    if (partitions[i] < 0 || partitions[i] >= available || rkt->rkt_p[partitions[i]] == NULL) return rd_false;
  }
  return rd_true;
}

static size_t headrace_bytes_of(const headrace_record_t* record) {
  return HEADRACE_ALIGN(sizeof(rd_kafka_msg_t) + record->length + record->key_length);
}

/* Makes the messages of one partition in one allocation, as rd_kafka_msg_new0 makes one. `places`: which of the records. */
static void headrace_make_run(rd_kafka_topic_t* rkt, const headrace_record_t* records, const int* places, int count, int32_t partition,
                              rd_ts_t now, rd_kafka_msg_t** messages) {
  const int64_t timestamp = rd_uclock() / 1000;
  const rd_ts_t timeout = rkt->rkt_conf.message_timeout_ms == 0 ? INT64_MAX : now + (rd_ts_t)rkt->rkt_conf.message_timeout_ms * 1000;
  size_t bytes = HEADRACE_ALIGN(sizeof(headrace_run_t));
  for (int i = 0; i < count; i++) bytes += headrace_bytes_of(&records[places[i]]);
  headrace_run_t* run = rd_malloc(bytes);
  run->rkt = rd_kafka_topic_keep(rkt);
  rd_atomic32_init(&run->left, count);
  char* at = (char*)run + HEADRACE_ALIGN(sizeof(headrace_run_t));
  for (int i = 0; i < count; i++) {
    const headrace_record_t* record = &records[places[i]];
    rd_kafka_msg_t* rkm = (rd_kafka_msg_t*)at;
    char* data = (char*)(rkm + 1);
    memset(rkm, 0, sizeof *rkm);
    rkm->rkm_run = run;
    rkm->rkm_flags = RD_KAFKA_MSG_F_PRODUCER | RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_ACCOUNT;
    rkm->rkm_rkmessage.rkt = rkt;
    rkm->rkm_partition = partition;
    rkm->rkm_opaque = record->opaque;
    rkm->rkm_broker_id = -1;
    rkm->rkm_offset = RD_KAFKA_OFFSET_INVALID;
    rkm->rkm_status = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    rkm->rkm_tstype = RD_KAFKA_TIMESTAMP_CREATE_TIME;
    rkm->rkm_timestamp = timestamp;
    rkm->rkm_ts_enq = now;
    rkm->rkm_ts_timeout = timeout;
    if (record->value != NULL) {
      rkm->rkm_payload = data;
      rkm->rkm_len = record->length;
      memcpy(data, record->value, record->length);
      data += record->length;
    }
    if (record->key != NULL) {
      rkm->rkm_key = data;
      rkm->rkm_key_len = record->key_length;
      memcpy(data, record->key, record->key_length);
    }
    messages[i] = rkm;
    at += headrace_bytes_of(record);
  }
}

/*
 * Appends messages to the queue of their partition and wakes the broker's thread if it should know, as rd_kafka_toppar_enq_msg does with one.
 * The topic is locked for reading.
 */
static void headrace_enqueue(rd_kafka_toppar_t* rktp, rd_kafka_msg_t** messages, int count, rd_ts_t now) {
  rd_kafka_q_t* wakeup = NULL;
  rd_kafka_toppar_keep(rktp);
  rd_atomic64_add(&rktp->rktp_c.producer_enq_msgs, count);
  rd_kafka_toppar_lock(rktp);
  for (int i = 0; i < count; i++) {
    messages[i]->rkm_u.producer.msgid = ++rktp->rktp_msgid;
    rd_kafka_msgq_enq(&rktp->rktp_msgq, messages[i]);
    /* Says yes once at most: what it looks at is set. */
    if (rktp->rktp_msgq_wakeup_q != NULL && rd_kafka_msgq_may_wakeup(&rktp->rktp_msgq, now)) {
      rktp->rktp_msgq.rkmq_wakeup.signalled = rd_true;
      wakeup = rd_kafka_q_keep(rktp->rktp_msgq_wakeup_q);
    }
  }
  rd_kafka_toppar_unlock(rktp);
  if (wakeup != NULL) {
    rd_kafka_q_yield(wakeup);
    rd_kafka_q_destroy(wakeup);
  }
  if (rd_kafka_is_transactional(rktp->rktp_rkt->rkt_rk)) rd_kafka_txn_add_partition(rktp);
  rd_kafka_toppar_destroy(rktp);
}

/*
 * An allocation for each partition: records that cannot go to theirs keep no others in memory. Their order counts within a partition only.
 * Changes `partitions`. The topic is locked for reading.
 */
static void headrace_queue_by_partition(rd_kafka_topic_t* rkt, const headrace_record_t* records, int count, int32_t* partitions) {
  const rd_ts_t now = rd_clock();
  int places[HEADRACE_RUN_MAX];
  rd_kafka_msg_t* messages[HEADRACE_RUN_MAX];
  for (int first = 0; first < count; first++) {
    const int32_t partition = partitions[first];
    if (partition < 0) continue;
    int found = 0;
    for (int i = first; i < count; i++) {
      if (partitions[i] != partition) continue;
      partitions[i] = -1;
      places[found++] = i;
    }
    headrace_make_run(rkt, records, places, found, partition, now, messages);
    headrace_enqueue(rkt->rkt_p[partition], messages, found, now);
  }
}

int headrace_produce_run(rd_kafka_topic_t* app_rkt, const headrace_record_t* records, int count) {
  rd_kafka_topic_t* rkt = rd_kafka_topic_proper(app_rkt);
  rd_kafka_t* rk = rkt->rkt_rk;
  int32_t partitions[HEADRACE_RUN_MAX];
  if (count < 1 || count > HEADRACE_RUN_MAX || rd_kafka_check_produce(rk, NULL) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rkt->rkt_conf.queuing_strategy != RD_KAFKA_QUEUE_FIFO || rkt->rkt_conf.random_partitioner ||
      rd_list_cnt(&rk->rk_conf.interceptors.on_send) > 0) {
    return -1;
  }
  rd_kafka_topic_rdlock(rkt);
  /* A topic may be there without partitions for a while. */
  if (rkt->rkt_state != RD_KAFKA_TOPIC_S_EXISTS || rkt->rkt_partition_cnt == 0 ||
      !headrace_place(rkt, records, count, partitions)) {
    rd_kafka_topic_rdunlock(rkt);
    return -1;
  }
  const int fit = headrace_take_room(rk, records, count);
  if (fit > 0) headrace_queue_by_partition(rkt, records, fit, partitions);
  rd_kafka_topic_rdunlock(rkt);
  return fit;
}
