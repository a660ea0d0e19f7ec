import { type ErrantRecordReporter, NotReady, type SinkRecord, Utf8Text } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import type { InboundBatch } from "../kafka/record-consumer.ts";
import type { DeadLetters } from "./dead-letter.ts";
import type { ErrorHandler } from "./error-handler.ts";
import { describeRaw, type RawRecord, RawRecords } from "./raw-record.ts";

/** Java's name of the class that a put fails in, whatever the connector (contract §7.4). */
const SINK_TASK = "org.apache.kafka.connect.sink.SinkTask";

/** The records that a sink's task gives back after it was given them. */
export interface ErrantRecords {
  readonly reporter: ErrantRecordReporter;
  /** A batch is about to be delivered: what it holds may be given back. */
  delivering(batch: InboundBatch): void;
  /** Throws if a report was rejected, by the policy or otherwise, even if the task has swallowed that. */
  throwIfFailed(): void;
}

export interface ErrantRecordsOptions {
  readonly handler: ErrorHandler;
  readonly deadLetters: DeadLetters | null;
  /** Serialises a record again with the task's converters, for one whose bytes are not kept any more. */
  readonly encode: (record: SinkRecord) => RawRecord;
  readonly signal: AbortSignal;
}

export function createErrantRecords(options: ErrantRecordsOptions): ErrantRecords {
  const { handler, deadLetters, encode, signal } = options;
  const raw = new RawRecords();
  let failure: unknown = null;

  /**
   * A commit may follow at once, so there is no time to fetch a schema first: the task ends, and the record comes again. So it does if its text
   * was still the bytes of its batch, whose memory has other records by now: those of the batch that is delivered are always kept.
   */
  function encodeNow(record: SinkRecord): RawRecord {
    const { topic, partition, offset } = record.original;
    const late = `Record ${topic}-${partition}@${offset} was reported long after its delivery`;
    if (record.value instanceof Utf8Text) {
      throw new Error(`${late}, and its text is gone: a sink that takes Utf8Text keeps value.decode() of such records`);
    }
    try {
      return encode(record);
    } catch (error) {
      if (!(error instanceof NotReady)) throw error;
      throw new Error(`${late}, and its schema is not known any more`);
    }
  }

  async function take(record: SinkRecord, error: unknown): Promise<void> {
    const found = raw.find(record.original) ?? encodeNow(record);
    const failed = { stage: "TASK_PUT", plugin: SINK_TASK, error } as const;
    const tolerated = handler.reported(failed, describeRaw(found));
    const exceeded = new ConnectError("internal", "Tolerance exceeded in error handler", { cause: error });
    if (!tolerated) failure ??= exceeded;
    await deadLetters?.store(found, failed, signal);
    if (!tolerated) throw exceeded;
  }

  return {
    reporter: {
      report(record, error) {
        const taken = take(record, error);
        // Nobody has to wait for it: what could not be taken ends the task before the next offset commit.
        taken.catch((problem: unknown) => {
          failure ??= problem;
        });
        return taken;
      },
    },
    delivering: (batch) => raw.keep(batch),
    throwIfFailed() {
      if (failure !== null) throw failure;
    },
  };
}
