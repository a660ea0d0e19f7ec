import {
  DataError,
  defineSink,
  RetriableError,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
} from "@headrace/sdk";
import { createCompressor } from "../format/compression.ts";
import { createEnvelope } from "../format/envelope.ts";
import { checkBucket } from "../store/check-bucket.ts";
import { openStore } from "../store/connection.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { createLeftovers } from "./leftovers.ts";
import { objectKey } from "./object-name.ts";
import { OpenObject } from "./open-object.ts";
import { PartitionWriter, type PlacedRecord } from "./partition-writer.ts";
import { SINK_CONFIG, type SinkSettings } from "./settings.ts";
import { createFormat, createPartitioner, createTimestamps, toHeaders, toLimits, toNames } from "./sink-parts.ts";
import { ObjectUpload } from "./upload.ts";

/** Longest time that dropping unfinished uploads may take at the end, ms. */
const ABANDON_MS = 5_000;

/**
 * Writes records to objects of a bucket.
 *
 * Guarantees: offsets are committed only when the objects that have their records are complete. Names and contents of objects depend on the
 * records alone, so that records delivered again replace what they made before: each is in the bucket exactly once, unless the clock has a
 * say (`rotate.schedule.interval.ms`, `timestamp.extractor=Wallclock`).
 */
export const s3Sink = defineSink({
  name: "s3-sink",
  version: "0.1.0",
  aliases: ["io.confluent.connect.s3.S3SinkConnector", "S3SinkConnector", "S3Sink"],
  config: SINK_CONFIG,
  validate: (settings, signal) => checkBucket(openStore(settings, surroundings()), { mustList: false }, signal),
  openTask: async (settings, context) =>
    createTask(settings, context, openStore(settings, surroundings(), context.metrics)),
  alterOffsets: () => true,
});

const surroundings = () => ({ env: process.env, now: Date.now, random: Math.random });

function createTask(settings: SinkSettings, context: SinkTaskContext, store: ObjectStore): SinkTask {
  const format = createFormat(settings);
  const names = toNames(settings, format);
  const headers = toHeaders(settings, format);
  const partitionerOf = createPartitioner(settings);
  const timestampOf = createTimestamps(settings, Date.now);
  const envelope = createEnvelope(settings["format.output.fields"]);
  const limits = toLimits(settings);
  const onNull = settings["behavior.on.null.values"];
  const leftovers = createLeftovers({ store, names, log: context.log });
  const completed = context.metrics.counter("s3-objects", "Objects completed.");
  const closing = new AbortController();
  const writers = new Map<string, PartitionWriter>();
  /** Of the last batch, if it was not taken to its end and comes again: so many records were tried. */
  let tried = 0;
  /** A directory that may be in names. */
  let lastDirectory = "";

  const keyOf = ({ topic, original }: SinkRecord, directory: string): string =>
    objectKey(names, { topic, path: directory.slice(topic.length + 1), original });

  function open({ record, row, directory }: PlacedRecord): OpenObject {
    const key = keyOf(record, directory);
    return new OpenObject({
      layout: row.layout,
      compressor: createCompressor(settings["s3.compression.type"], settings["s3.compression.level"]),
      upload: new ObjectUpload({ store, key, headers, partSize: settings["s3.part.size"], closing: closing.signal }),
    });
  }

  function writerOf({ original }: SinkRecord): PartitionWriter {
    const name = nameOf(original);
    let writer = writers.get(name);
    if (writer === undefined) {
      writer = new PartitionWriter({ limits, open, now: Date.now, completed: () => completed.add() });
      writers.set(name, writer);
    }
    return writer;
  }

  /** Null: it is left out. Throws DataError. */
  function place(record: SinkRecord): PlacedRecord | null {
    if (record.value.value === null) {
      if (onNull === "ignore") return null;
      if (onNull === "fail") throw new DataError("the record has no value (behavior.on.null.values=fail)");
    }
    const timestamp = timestampOf(record);
    const directory = `${record.topic}/${partitionerOf(record, timestamp)}`;
    if (directory !== lastDirectory) {
      keyOf(record, directory); // Refused here, not when it is too late to leave out the record.
      lastDirectory = directory;
    }
    return { record, row: format.toRow(envelope(record)), directory, timestamp };
  }

  async function take(record: SinkRecord, again: boolean, signal: AbortSignal): Promise<void> {
    const writer = writerOf(record);
    const { offset } = record.original;
    if (again && writer.hasTaken(offset)) return;
    let placed: PlacedRecord | null = null;
    try {
      placed = place(record);
    } catch (error) {
      if (!(error instanceof DataError) || context.errantRecords === null) throw error;
      await context.errantRecords.report(record, error);
    }
    if (placed === null) writer.passOver(offset);
    else await writer.add(placed, signal);
  }

  async function abandon(left: readonly PartitionWriter[]): Promise<void> {
    const signal = AbortSignal.timeout(ABANDON_MS);
    for (const writer of left) {
      await writer.abandon(signal).catch((error: unknown) => {
        context.log.warn({ error: String(error) }, "an unfinished upload stays until the next start");
      });
    }
  }

  return {
    async open(partitions) {
      const stale = partitions.flatMap((partition) => writers.get(nameOf(partition)) ?? []);
      for (const partition of partitions) writers.delete(nameOf(partition));
      leftovers.expect(partitions);
      await abandon(stale);
    },
    async put(records, signal) {
      await leftovers.clear(records, signal);
      for (const writer of writers.values()) await writer.finishFull(signal);
      for (const [index, record] of records.entries()) {
        const again = index < tried;
        tried = Math.max(tried, index + 1);
        await take(record, again, signal);
      }
      for (const writer of writers.values()) await writer.finishDue(signal);
      tried = 0;
    },
    async preCommit(offsets) {
      return offsets.map((position) => {
        const pending = writers.get(nameOf(position))?.pending() ?? null;
        return pending === null || pending > position.offset ? position : { ...position, offset: pending };
      });
    },
    async release(partitions) {
      const left = partitions.flatMap((partition) => writers.get(nameOf(partition)) ?? []);
      for (const partition of partitions) writers.delete(nameOf(partition));
      await abandon(left);
    },
    async close() {
      closing.abort(new RetriableError("the task is closed"));
      await abandon([...writers.values()]);
      writers.clear();
    },
  };
}

const nameOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }) =>
  `${topic}/${partition}`;
