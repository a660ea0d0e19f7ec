import type { SchemaAndValue } from "../schema.ts";
import type { SinkDefinition, SinkRecord, SinkTask, TopicPartition, TopicPartitionOffset } from "../sink.ts";
import type { RawConfig } from "../source.ts";
import { parseConfig } from "./config.ts";
import { createLogRecorder, createMetricRecorder, type LogRecorder, type MetricRecorder } from "./contexts.ts";
import { within } from "./waiting.ts";

export interface SinkRunOptions {
  readonly config: RawConfig;
  /** Whether the task may report records; not given: no. */
  readonly errantRecords?: boolean;
  /** Not given: partition 0 of `topic`. */
  readonly assignment?: readonly TopicPartition[];
  /** Not given: `topic`. */
  readonly topic?: string;
}

/** A record that a sink has reported. */
export interface Errant {
  readonly record: SinkRecord;
  readonly error: unknown;
}

/** A sink connector with one task, without Kafka. */
export interface SinkRun {
  readonly task: SinkTask;
  readonly log: LogRecorder;
  readonly metrics: MetricRecorder;
  readonly errants: readonly Errant[];
  readonly rewinds: readonly TopicPartitionOffset[];
  /** What the task asked for by `context.timeout`. */
  readonly timeouts: readonly number[];
  /** One delivery; aborts with {@link SinkRun.stop}. */
  put(records: readonly SinkRecord[]): Promise<void>;
  /** `preCommit` or `flush`: the offsets that may be committed. */
  commit(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]>;
  /** Aborts the signal of calls under way. */
  stop(): void;
  /** Commits nothing and closes. Repeats do nothing. */
  close(): Promise<void>;
}

const CALL_MS = 20_000;

/** Opens a sink and one task as the worker does. */
export async function openSinkRun(definition: SinkDefinition, options: SinkRunOptions): Promise<SinkRun> {
  const log = createLogRecorder();
  const metrics = createMetricRecorder();
  const stopping = new AbortController();
  const errants: Errant[] = [];
  const rewinds: TopicPartitionOffset[] = [];
  const timeouts: number[] = [];
  let closed = false;
  const topic = options.topic ?? "topic";
  const assignment = options.assignment ?? [{ topic, partition: 0 }];
  const config = parseConfig(definition, options.config);
  const connector = "test";
  const context = { connector, log, requestTaskReconfiguration: () => {} };
  const instance = (await definition.open?.(config, context, stopping.signal)) ?? null;
  const [overlay = {}] = (await definition.planTasks?.(config, 1, stopping.signal)) ?? [{}];
  const task = await definition.openTask(
    parseConfig(definition, { ...options.config, ...overlay }),
    {
      connector,
      task: 0,
      log,
      metrics,
      errantRecords:
        options.errantRecords === true
          ? {
              async report(record, error) {
                errants.push({ record, error });
              },
            }
          : null,
      assignment: () => assignment,
      rewind: (position) => void rewinds.push(position),
      pause: () => {},
      resume: () => {},
      requestCommit: () => {},
      timeout: (delayMs) => void timeouts.push(delayMs),
    },
    stopping.signal,
  );
  await task.open?.(assignment);
  return {
    task,
    log,
    metrics,
    errants,
    rewinds,
    timeouts,
    put: (records) => within(CALL_MS, "put", task.put(records, stopping.signal)),
    async commit(offsets) {
      if (task.preCommit !== undefined)
        return await within(CALL_MS, "preCommit", task.preCommit(offsets, stopping.signal));
      await within(CALL_MS, "flush", task.flush?.(stopping.signal) ?? Promise.resolve());
      return offsets;
    },
    stop: () => stopping.abort(),
    async close() {
      if (closed) return;
      closed = true;
      stopping.abort();
      await task.close();
      await instance?.close();
    },
  };
}

/** What a test says of a sink's record; everything else has a default. */
export interface SinkRecordParts {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset: bigint;
  readonly key?: SchemaAndValue;
  readonly value: SchemaAndValue;
  readonly headers?: SinkRecord["headers"];
  readonly timestamp?: number | null;
}

/** A record as a sink gets it. */
export function sinkRecord(parts: SinkRecordParts): SinkRecord {
  const { topic = "topic", partition = 0, offset, value, headers = [], timestamp = null } = parts;
  const key = parts.key ?? { schema: null, value: null };
  return { topic, partition, offset, key, value, headers, timestamp, original: { topic, partition, offset } };
}
