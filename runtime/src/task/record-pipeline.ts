import { isUtf8 } from "node:buffer";
import {
  type ConnectRecord,
  type Converter,
  type Header,
  type HeaderConverter,
  NULL_VALUE,
  type Schema,
  type SchemaAndValue,
  type SinkRecord,
  type SourceRecord,
  type TransformFunction,
  toPlain,
  Utf8Text,
  WholeDouble,
} from "@headrace/sdk";
import type { InboundBatch, InboundHeader } from "../kafka/record-consumer.ts";
import type { OutboundHeader, OutboundRecord } from "../kafka/record-producer.ts";
import type { RawRecord } from "./raw-record.ts";
import type { Stage } from "./tolerance.ts";

/**
 * What happens to a record between a connector and Kafka: transforms (with predicates) and converters, compiled once per task.
 * A batch goes through one synchronous loop. A record that fails stops the loop with a {@link Fault}; the caller decides, and goes on
 * at that record (retry) or behind it (skip).
 */

/** One transform of the chain. */
export interface TransformStep {
  readonly plugin: string;
  readonly apply: TransformFunction;
  /** Which records it applies to; null: all. Negation is folded in. */
  readonly when: ((record: ConnectRecord) => boolean) | null;
}

export interface PipelineParts {
  readonly transforms: readonly TransformStep[];
  readonly key: { readonly plugin: string; readonly converter: Converter };
  readonly value: { readonly plugin: string; readonly converter: Converter };
  readonly header: { readonly plugin: string; readonly converter: HeaderConverter };
}

/** The record at `index` failed in `stage`, in the plugin named. */
export interface Fault {
  readonly index: number;
  readonly stage: Stage;
  readonly plugin: string;
  readonly error: unknown;
}

/** Records ready for Kafka; `sources[i]` is the index of the source record that became `records[i]`. */
export interface OutboundBatch {
  readonly records: OutboundRecord[];
  readonly sources: number[];
}

export interface SourcePipeline {
  /** Appends what becomes of `records[from…]` to `out`; null when all are through. Dropped records leave no trace in `out`. */
  run(records: readonly SourceRecord[], from: number, out: OutboundBatch): Fault | null;
}

export interface SinkPipeline {
  /** Appends what becomes of the batch's records `from…` to `out`; null when all are through. */
  run(batch: InboundBatch, from: number, out: SinkRecord[]): Fault | null;
  /** Serialises a record again, as transforms left it. Throws what the converters throw. */
  encode(record: SinkRecord): RawRecord;
}

/** Where the loop is, for the fault. */
interface Position {
  stage: Stage;
  plugin: string;
}

const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** Runs the chain; null when a transform dropped the record. */
function transform(steps: readonly TransformStep[], record: ConnectRecord, at: Position): ConnectRecord | null {
  let current: ConnectRecord = record;
  at.stage = "TRANSFORMATION";
  for (const step of steps) {
    at.plugin = step.plugin;
    if (step.when !== null && !step.when(current)) continue;
    const next = step.apply(current);
    if (next === null) return null;
    current = next;
  }
  return current;
}

/** Source order: transforms, then headers, key and value are converted. */
export function compileSourcePipeline(parts: PipelineParts): SourcePipeline {
  const { transforms } = parts;
  const keyConverter = parts.key.converter;
  const valueConverter = parts.value.converter;
  const keepsText = transforms.length === 0 && valueConverter.keepsText === true;
  // Its null is Kafka's null.
  const keepsRecord = keepsText && keyConverter.keepsText === true;

  function encodeHeaders(topic: string, headers: readonly Header[]): readonly OutboundHeader[] {
    return headers.map((header) => ({
      key: header.key,
      value: parts.header.converter.encodeHeader(topic, header.key, header),
    }));
  }

  /** What a source gave goes out as it is, where no transform wants to see it. */
  function encode(record: ConnectRecord | SourceRecord, at: Position): OutboundRecord {
    if (keepsRecord && isBareText(record)) return record;
    const { topic } = record;
    at.stage = "HEADER_CONVERTER";
    at.plugin = parts.header.plugin;
    const given = record.headers ?? NO_HEADERS;
    const headers = given.length === 0 ? null : encodeHeaders(topic, given);
    at.stage = "KEY_CONVERTER";
    at.plugin = parts.key.plugin;
    const key = keyConverter.encode(topic, toData(record.key ?? NULL_VALUE));
    at.stage = "VALUE_CONVERTER";
    at.plugin = parts.value.plugin;
    const data = record.value;
    const value = keepsText && data instanceof Utf8Text ? data : valueConverter.encode(topic, toData(data));
    const { partition = null, timestamp = null } = record;
    return { topic, partition, key, value, headers, timestamp };
  }

  return {
    run(records, from, out) {
      const at: Position = { stage: "TRANSFORMATION", plugin: "" };
      let index = from;
      try {
        for (; index < records.length; index += 1) {
          const source = records[index];
          if (source === undefined) continue;
          const record = transforms.length === 0 ? source : transform(transforms, toConnectRecord(source), at);
          if (record === null) continue;
          out.records.push(encode(record, at));
          out.sources.push(index);
        }
        return null;
      } catch (error) {
        return { index, stage: at.stage, plugin: at.plugin, error };
      }
    },
  };
}

/** What goes to Kafka as the source gave it: of short records, another object for each would be half of the work of V8's collector. */
function isBareText(record: ConnectRecord | SourceRecord): record is OutboundRecord & typeof record {
  return record.value instanceof Utf8Text && record.headers === undefined && record.key === undefined;
}

function toConnectRecord(source: SourceRecord): ConnectRecord {
  return {
    topic: source.topic,
    partition: source.partition ?? null,
    key: toData(source.key ?? NULL_VALUE),
    value: toData(source.value),
    headers: source.headers ?? NO_HEADERS,
    timestamp: source.timestamp ?? null,
    offset: null,
  };
}

/** Text that is bytes stays so only if nobody but Kafka will see it. */
function toData(data: SchemaAndValue): SchemaAndValue {
  return data instanceof Utf8Text ? data.decode() : data;
}

/** Sink order: key, value and headers are converted, then transforms. `takesUtf8Text`: text may stay the bytes of its batch. */
export function compileSinkPipeline(parts: PipelineParts, takesUtf8Text = false): SinkPipeline {
  const { transforms } = parts;
  const keyConverter = parts.key.converter;
  const valueConverter = parts.value.converter;
  const textSchema = (takesUtf8Text && transforms.length === 0 && valueConverter.textSchema) || null;

  function decodeHeaders(topic: string, headers: readonly InboundHeader[], at: Position): readonly Header[] {
    at.stage = "HEADER_CONVERTER";
    at.plugin = parts.header.plugin;
    return headers.map((header) => ({
      key: header.key,
      ...parts.header.converter.decodeHeader(topic, header.key, header.value),
    }));
  }

  function decode(batch: InboundBatch, index: number, at: Position, isText: boolean): SinkRecord {
    const topic = batch.topics[batch.topicIndex[index] ?? 0] ?? "";
    const partition = batch.partitions[index] ?? 0;
    const offset = batch.offsets[index] ?? 0n;
    at.stage = "KEY_CONVERTER";
    at.plugin = parts.key.plugin;
    const key = keyConverter.decode(topic, payloadOf(batch.data, batch.keys, index));
    at.stage = "VALUE_CONVERTER";
    at.plugin = parts.value.plugin;
    const text = isText ? textOf(batch, index, textSchema) : null;
    const value = text ?? valueConverter.decode(topic, payloadOf(batch.data, batch.values, index));
    const raw = batch.headers(index);
    const headers = raw === null ? NO_HEADERS : decodeHeaders(topic, raw, at);
    const timestamp = batch.timestamps[index] ?? -1;
    return {
      topic,
      partition,
      offset,
      key,
      value,
      headers,
      timestamp: timestamp < 0 ? null : timestamp,
      original: { topic, partition, offset },
    };
  }

  let looked: { readonly batch: InboundBatch; readonly isText: boolean } | null = null;

  /** Looks through a batch once, however many of its records fail. */
  function isTextBatch(batch: InboundBatch): boolean {
    if (textSchema === null) return false;
    if (looked?.batch !== batch) looked = { batch, isText: isUtf8(batch.data) };
    return looked.isText;
  }

  return {
    run(batch, from, out) {
      const at: Position = { stage: "KEY_CONVERTER", plugin: parts.key.plugin };
      const isText = isTextBatch(batch);
      let index = from;
      try {
        for (; index < batch.count; index += 1) {
          const wholeDoubles = WholeDouble.made;
          const record = decode(batch, index, at, isText);
          const transformed = transforms.length === 0 ? record : transform(transforms, record, at);
          if (transformed === null) continue;
          const sinkRecord = transformed === record ? record : toSinkRecord(transformed, record);
          out.push(WholeDouble.made === wholeDoubles ? sinkRecord : toPlainRecord(sinkRecord));
        }
        looked = null;
        return null;
      } catch (error) {
        return { index, stage: at.stage, plugin: at.plugin, error };
      }
    },
    encode: (record) => ({
      ...record.original,
      timestamp: record.timestamp,
      key: keyConverter.encode(record.topic, record.key),
      value: valueConverter.encode(record.topic, record.value),
      headers: record.headers.map((header) => ({
        key: header.key,
        value: parts.header.converter.encodeHeader(record.topic, header.key, header),
      })),
    }),
  };
}

/** Connectors get plain numbers (sdk, {@link WholeDouble}). */
function toPlainRecord(record: SinkRecord): SinkRecord {
  return {
    ...record,
    key: toPlain(record.key),
    value: toPlain(record.value),
    headers: record.headers.map((header) => ({ key: header.key, ...toPlain(header) })),
  };
}

/** A value as text, if a batch that is all UTF-8 has not cut it within a character; null for others. */
function textOf({ data, values }: InboundBatch, index: number, schema: Schema | null): Utf8Text | null {
  const start = values[2 * index] ?? -1;
  const end = values[2 * index + 1] ?? start;
  if (start < 0 || isWithinCharacter(data, start) || isWithinCharacter(data, end)) return null;
  return new Utf8Text(schema, data, start, end);
}

function isWithinCharacter(text: Buffer, at: number): boolean {
  return ((text[at] ?? 0) & 0xc0) === 0x80;
}

/** A view on the bytes of a key or value column. */
export function payloadOf(data: Buffer, ranges: Int32Array, index: number): Buffer | null {
  const start = ranges[2 * index] ?? -1;
  return start < 0 ? null : data.subarray(start, ranges[2 * index + 1] ?? start);
}

/** Transforms may change topic and partition, never where the record lies in Kafka. */
function toSinkRecord(record: ConnectRecord, source: SinkRecord): SinkRecord {
  return {
    topic: record.topic,
    partition: record.partition ?? source.partition,
    offset: source.offset,
    key: record.key,
    value: record.value,
    headers: record.headers,
    timestamp: record.timestamp,
    original: source.original,
  };
}
