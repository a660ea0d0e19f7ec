import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Text of librdkafka's sources and what stands in its place in our build. */
interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/**
 * What our build of librdkafka 2.12.0 does otherwise.
 *
 * An idempotent producer sends nothing more of a partition while five messages of it are under way. Its broker's thread is told all the same
 * that the next batch is due now, and polls without a pause until the acknowledgement comes: with a full queue that is most of the time.
 * The acknowledgement wakes it anyway; one that comes over another connection, after the leader has changed, is seen within 10 ms.
 */
export const LIBRDKAFKA_CHANGES: readonly Change[] = [
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

/** Changes a copy of the sources. Throws if what is to be changed is not there exactly once: another version needs another look. */
export async function changeLibrdkafka(sources: string): Promise<void> {
  for (const { file, from, to } of LIBRDKAFKA_CHANGES) {
    const path = join(sources, file);
    const parts = (await readFile(path, "utf8")).split(from);
    if (parts.length !== 2) throw new Error(`${path} is not as it was: look at dev/setup/librdkafka-changes.ts`);
    await writeFile(path, parts.join(to));
  }
}
