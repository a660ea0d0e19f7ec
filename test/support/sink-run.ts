import assert from "node:assert/strict";
import type { SinkRecord, SinkTask, SinkTaskContext } from "@headrace/sdk";
import { byteArrayConverter } from "#runtime/converters/byte-array.ts";
import { jsonConverter } from "#runtime/converters/json.ts";
import { stringConverter } from "#runtime/converters/string.ts";
import type { RecordConsumer } from "#runtime/kafka/record-consumer.ts";
import type { DeadLetters } from "#runtime/task/dead-letter.ts";
import { createPluginMetrics } from "#runtime/task/plugin-metrics.ts";
import { compileSinkPipeline, type TransformStep } from "#runtime/task/record-pipeline.ts";
import { createSinkTask } from "#runtime/task/sink-task.ts";
import type { TolerancePolicy } from "#runtime/task/tolerance.ts";
import { createFakeConsumer, type InboundRecord, inboundBatch } from "./fake-record-consumer.ts";
import { createLogRecorder } from "./task-run.ts";

/** Nothing is tolerated, nothing retried. */
export const STRICT: TolerancePolicy = {
  tolerance: "none",
  retryTimeoutMs: 0,
  retryDelayMaxMs: 60_000,
  logEnable: false,
  logIncludeMessages: false,
};

/** What a test changes of the sink. */
export interface SinkSetup {
  readonly policy?: TolerancePolicy;
  readonly transforms?: readonly TransformStep[];
  readonly json?: boolean;
  readonly flushIntervalMs?: number;
  readonly flushTimeoutMs?: number;
  readonly task?: Partial<SinkTask>;
  readonly takesUtf8Text?: boolean;
  readonly deadLetters?: (log: string[]) => Partial<DeadLetters>;
  /** In place of one whose events are the test's. */
  readonly consumer?: RecordConsumer;
}

const text = stringConverter.compile({ "converter.encoding": "UTF-8" }, false);
const json = jsonConverter.compile(jsonConverter.config.parse({ "schemas.enable": "false" }), false);

/** A sink that writes into one log all that it and its consumer are asked to do. */
export function setUpSink(setup: SinkSetup = {}) {
  const log: string[] = [];
  const consumer = createFakeConsumer(log);
  const lines = createLogRecorder();
  const topics: string[] = [];
  let context: SinkTaskContext | null = null;
  const task: SinkTask = {
    open: (partitions) => void log.push(`open ${partitions.map((each) => each.partition)}`),
    async put(records) {
      if (records.length > 0) log.push(`put ${show(records)}`);
    },
    flush: async () => void log.push("flush"),
    release: (partitions, lost) =>
      void log.push(`${lost ? "lost" : "release"} ${partitions.map((each) => each.partition)}`),
    close: () => void log.push("close task"),
    ...setup.task,
  };
  const deadLetters = setup.deadLetters?.(log);
  const body = createSinkTask({
    label: "c-0",
    context: { connector: "c", task: 0, log: lines, metrics: createPluginMetrics().metrics },
    openTask: async (given) => {
      context = given;
      return task;
    },
    pipeline: compileSinkPipeline(
      {
        transforms: setup.transforms ?? [],
        key: { plugin: "bytes", converter: byteArrayConverter.compile({}, true) },
        value: { plugin: "value", converter: setup.json === true ? json : text },
        header: {
          plugin: "bytes",
          converter: { encodeHeader: () => null, decodeHeader: () => ({ schema: null, value: null }) },
        },
      },
      setup.takesUtf8Text,
    ),
    policy: setup.policy ?? STRICT,
    openConsumer: async () => setup.consumer ?? consumer,
    removeMember: async (memberId) => void log.push(`remove ${memberId}`),
    openDeadLetters:
      deadLetters === undefined
        ? null
        : async () => ({
            add: async () => {},
            store: async () => {},
            flush: async () => {},
            close: async () => {},
            metrics: () => ({ requests: 0, failures: 0 }),
            ...deadLetters,
          }),
    activeTopic: (topic) => topics.push(topic),
    flushIntervalMs: setup.flushIntervalMs ?? 60_000,
    flushTimeoutMs: setup.flushTimeoutMs ?? 1_000,
    retryBackoffMs: 5,
    retryBackoffMaxMs: 20,
    log: lines,
    now: () => performance.now(),
    random: () => 0.5,
  });
  return {
    body,
    consumer,
    log,
    lines: lines.lines,
    topics,
    context: () => {
      assert.ok(context !== null);
      return context;
    },
    assign: (...partitions: number[]) =>
      consumer.push({
        kind: "assigned",
        partitions: partitions.map((partition) => ({ topic: "t", partition, offset: 0n })),
      }),
    revoke: (lost: boolean, ...partitions: number[]) =>
      consumer.push({ kind: "revoked", partitions: partitions.map((partition) => ({ topic: "t", partition })), lost }),
    deliver: (...records: InboundRecord[]) => consumer.push({ kind: "batch", batch: inboundBatch(records) }),
    /** Log entries without the housekeeping of pausing. */
    acts: () => log.filter((each) => !each.startsWith("pause") && !each.startsWith("resume")),
  };
}

/** Records as `partition:offset=value`. */
export function show(records: readonly SinkRecord[]): string {
  return records.map((record) => `${record.partition}:${record.offset}=${String(record.value.value)}`).join(" ");
}

/** A record of partition 0 of topic t. */
export const at = (offset: bigint, value = "v", partition = 0): InboundRecord => ({ offset, value, partition });
