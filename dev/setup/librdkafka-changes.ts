import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repoRoot } from "../cache.ts";

/** Text of librdkafka's sources and what stands in its place in our build. */
interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/**
 * An idempotent producer sends nothing more of a partition while five messages of it are under way. Its broker's thread is told all the same
 * that the next batch is due now, and polls without a pause until the acknowledgement comes: with a full queue that is most of the time.
 * The acknowledgement wakes it anyway; one that comes over another connection, after the leader has changed, is seen within 10 ms.
 */
const NO_IDLE_POLLS: readonly Change[] = [
  {
    file: "src/rdkafka_broker.c",
    from: `        } else if (max_requests > 0) {
                /* Move messages from locked partition produce queue`,
    to: `        } else if (max_requests > 0) {
                const rd_bool_t awaits_acks =
                    rd_kafka_is_idempotent(rkb->rkb_rk) &&
                    rd_atomic32_get(&rktp->rktp_msgs_inflight) >=
                        RD_KAFKA_IDEMP_MAX_INFLIGHT;

                if (awaits_acks)
                        rd_kafka_set_next_wakeup(next_wakeup, now + 10 * 1000);

                /* Move messages from locked partition produce queue`,
  },
  {
    file: "src/rdkafka_broker.c",
    from: `                    rkb->rkb_state == RD_KAFKA_BROKER_STATE_UP ? next_wakeup
                                                               : NULL,`,
    to: `                    rkb->rkb_state == RD_KAFKA_BROKER_STATE_UP && !awaits_acks
                        ? next_wakeup
                        : NULL,`,
  },
];

/** Records are queued and destroyed in runs (`native/librdkafka/produce_run.c`), which share one allocation. */
const RUNS: readonly Change[] = [
  {
    file: "src/rdkafka_msg.h",
    from: `typedef struct rd_kafka_msg_s {
`,
    to: `typedef struct headrace_run_s headrace_run_t;

typedef struct rd_kafka_msg_s {
`,
  },
  {
    file: "src/rdkafka_msg.h",
    from: `        rd_kafka_headers_t *rkm_headers; /**< Parsed headers list, if any. */
`,
    to: `        rd_kafka_headers_t *rkm_headers; /**< Parsed headers list, if any. */
        headrace_run_t *rkm_run; /**< What it is a part of, or NULL. */
`,
  },
  {
    file: "src/rdkafka_msg.h",
    from: `static RD_INLINE RD_UNUSED void rd_kafka_msgq_purge(rd_kafka_t *rk,
                                                    rd_kafka_msgq_t *rkmq) {
        rd_kafka_msg_t *rkm, *next;

        next = TAILQ_FIRST(&rkmq->rkmq_msgs);
        while (next) {
                rkm  = next;
                next = TAILQ_NEXT(next, rkm_link);

                rd_kafka_msg_destroy(rk, rkm);
        }

        rd_kafka_msgq_init(rkmq);
}
`,
    to: `void rd_kafka_msgq_purge(rd_kafka_t *rk, rd_kafka_msgq_t *rkmq);
`,
  },
  {
    file: "src/rdkafka_msg.c",
    from: `void rd_kafka_msg_destroy(rd_kafka_t *rk, rd_kafka_msg_t *rkm) {
`,
    to: `static void headrace_run_release(headrace_run_t *run, int count);

void rd_kafka_msg_destroy(rd_kafka_t *rk, rd_kafka_msg_t *rkm) {
`,
  },
  {
    file: "src/rdkafka_msg.c",
    from: `        if (likely(rkm->rkm_rkmessage.rkt != NULL))
                rd_kafka_topic_destroy0(rkm->rkm_rkmessage.rkt);

        if (rkm->rkm_flags`,
    to: `        if (rkm->rkm_run != NULL) {
                headrace_run_release(rkm->rkm_run, 1);
                return;
        }

        if (likely(rkm->rkm_rkmessage.rkt != NULL))
                rd_kafka_topic_destroy0(rkm->rkm_rkmessage.rkt);

        if (rkm->rkm_flags`,
  },
  {
    file: "src/rdkafka_msg.c",
    from: `        rkm->rkm_status    = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
        rkm->rkm_headers   = NULL;
`,
    to: `        rkm->rkm_status    = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
        rkm->rkm_headers   = NULL;
        rkm->rkm_run       = NULL;
`,
  },
];

/** Without interceptors and statistics, no record is looked at for them. */
const NOTHING_FOR_NOBODY: readonly Change[] = [
  {
    file: "src/rdkafka_interceptor.c",
    from: `        rd_kafka_msg_t *rkm;

        RD_KAFKA_MSGQ_FOREACH(rkm, rkmq) {
                if (force_err)`,
    to: `        rd_kafka_msg_t *rkm;

        if (!force_err &&
            rd_list_cnt(&rk->rk_conf.interceptors.on_acknowledgement) == 0)
                return;

        RD_KAFKA_MSGQ_FOREACH(rkm, rkmq) {
                if (force_err)`,
  },
  {
    file: "src/rdkafka_msgset_writer.c",
    from: `                rd_avg_add(&rkb->rkb_avg_int_latency,
                           int_latency_base - rkm->rkm_ts_timeout);
`,
    to: `                if (rkb->rkb_avg_int_latency.ra_enabled)
                        rd_avg_add(&rkb->rkb_avg_int_latency,
                                   int_latency_base - rkm->rkm_ts_timeout);
`,
  },
];

/** The numbers that surround a record's key and value are written together instead of each for itself. */
const NUMBERS_TOGETHER: readonly Change[] = [
  {
    file: "src/rdkafka_msgset_writer.c",
    from: `        /* Length */
        sz_Length = rd_uvarint_enc_i64(varint_Length, sizeof(varint_Length),
                                       MessageSize);
        rd_kafka_buf_write(rkbuf, varint_Length, sz_Length);
        MessageSize += sz_Length;

        /* Attributes: The MsgAttributes argument is losely based on MsgVer0
         *             which don't apply for MsgVer2 */
        rd_kafka_buf_write_i8(rkbuf, 0);

        /* TimestampDelta */
        rd_kafka_buf_write(rkbuf, varint_TimestampDelta, sz_TimestampDelta);

        /* OffsetDelta */
        rd_kafka_buf_write(rkbuf, varint_OffsetDelta, sz_OffsetDelta);

        /* KeyLen */
        rd_kafka_buf_write(rkbuf, varint_KeyLen, sz_KeyLen);

        /* Key (if any) */
        if (rkm->rkm_key)
                rd_kafka_buf_write(rkbuf, rkm->rkm_key, rkm->rkm_key_len);

        /* ValueLen */
        rd_kafka_buf_write(rkbuf, varint_ValueLen, sz_ValueLen);
`,
    to: `        /* Length */
        sz_Length = rd_uvarint_enc_i64(varint_Length, sizeof(varint_Length),
                                       MessageSize);
        MessageSize += sz_Length;
        {
                char numbers[sizeof(varint_Length) + 1 +
                             sizeof(varint_TimestampDelta) +
                             sizeof(varint_OffsetDelta) +
                             sizeof(varint_KeyLen) + sizeof(varint_ValueLen)];
                char *at = numbers;

                memcpy(at, varint_Length, sz_Length);
                at += sz_Length;
                *at++ = 0; /* Attributes */
                memcpy(at, varint_TimestampDelta, sz_TimestampDelta);
                at += sz_TimestampDelta;
                memcpy(at, varint_OffsetDelta, sz_OffsetDelta);
                at += sz_OffsetDelta;
                memcpy(at, varint_KeyLen, sz_KeyLen);
                at += sz_KeyLen;
                if (rkm->rkm_key) {
                        rd_kafka_buf_write(rkbuf, numbers, at - numbers);
                        rd_kafka_buf_write(rkbuf, rkm->rkm_key,
                                           rkm->rkm_key_len);
                        at = numbers;
                }
                memcpy(at, varint_ValueLen, sz_ValueLen);
                at += sz_ValueLen;
                rd_kafka_buf_write(rkbuf, numbers, at - numbers);
        }
`,
  },
];

/** What our build of librdkafka 2.12.0 does otherwise. */
const CHANGES: readonly Change[] = [...NO_IDLE_POLLS, ...RUNS, ...NOTHING_FOR_NOBODY, ...NUMBERS_TOGETHER];

/** What stands beside its sources, and at the end of one of them. */
const ADDED_HEADER = "produce_run.h";
const ADDED_CODE = { file: "produce_run.c", endOf: "src/rdkafka_msg.c" } as const;

const readAdded = (file: string) => readFile(join(repoRoot, "native/librdkafka", file), "utf8");

/** All of it, as text: two builds are the same if it is. */
export async function librdkafkaChanges(): Promise<string> {
  return JSON.stringify([CHANGES, await readAdded(ADDED_HEADER), await readAdded(ADDED_CODE.file)]);
}

/** Changes a copy of the sources. Throws if what is to be changed is not there exactly once: another version needs another look. */
export async function changeLibrdkafka(sources: string): Promise<void> {
  for (const { file, from, to } of CHANGES) {
    const path = join(sources, file);
    const parts = (await readFile(path, "utf8")).split(from);
    if (parts.length !== 2) throw new Error(`${path} is not as it was: look at dev/setup/librdkafka-changes.ts`);
    await writeFile(path, parts.join(to));
  }
  await writeFile(join(sources, "src", ADDED_HEADER), await readAdded(ADDED_HEADER));
  await appendFile(join(sources, ADDED_CODE.endOf), `\n${await readAdded(ADDED_CODE.file)}`);
}
