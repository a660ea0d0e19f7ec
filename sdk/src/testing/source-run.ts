import { setTimeout as sleep } from "node:timers/promises";
import { RetriableError } from "../errors.ts";
import type { ConnectorInstance, RawConfig, SourceDefinition, SourceRecord, SourceTask } from "../source.ts";
import { parseConfig } from "./config.ts";
import { createLogRecorder, createMetricRecorder, type LogRecorder, type MetricRecorder } from "./contexts.ts";
import { createMemoryOffsets, type MemoryOffsets } from "./memory-offsets.ts";
import { within } from "./waiting.ts";

export interface SourceRunOptions {
  readonly config: RawConfig;
  /** Not given: none are stored. */
  readonly offsets?: MemoryOffsets;
  /** Not given: 1. */
  readonly maxTasks?: number;
  /** Longest that {@link SourceRun.take} waits, and `close` for a poll to end, in milliseconds; not given: 20,000. */
  readonly patienceMs?: number;
}

/** A source connector with its tasks, without Kafka: the test decides what Kafka acknowledges, and when. */
export interface SourceRun {
  readonly tasks: number;
  readonly log: LogRecorder;
  readonly metrics: readonly MetricRecorder[];
  /** How often `planTasks` was asked for again. */
  readonly reconfigurations: () => number;
  /** How often a task asked to be tried later. */
  readonly retries: () => number;
  /** Polls all tasks until they have given so many records, or more. Rejects with what a task throws, RetriableError excepted, and when it is closed meanwhile. */
  take(count: number, timeoutMs?: number): Promise<readonly SourceRecord[]>;
  /** Kafka has these records, in this order: their offsets are stored, and `committed` is told. */
  acknowledge(records: readonly SourceRecord[]): Promise<void>;
  /** Stops polling and closes. What was taken and not acknowledged is lost with it, as if the process had been killed. */
  close(): Promise<void>;
}

interface Running {
  readonly task: SourceTask;
  poll: Promise<readonly SourceRecord[]> | null;
}

/** Longest wait for one call of the connector. */
const CALL_MS = 20_000;
const RETRY_PAUSE_MS = 20;

/** Opens a source and its tasks as the worker does: parse, validate, open, plan, open tasks. */
export async function openSourceRun(definition: SourceDefinition, options: SourceRunOptions): Promise<SourceRun> {
  const log = createLogRecorder();
  const offsets = options.offsets ?? createMemoryOffsets();
  const stopping = new AbortController();
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => {}); // For those who wait.
  const metrics: MetricRecorder[] = [];
  const running: Running[] = [];
  const owners = new WeakMap<SourceRecord, Running>();
  const taken: SourceRecord[] = [];
  let instance: ConnectorInstance | null = null;
  let reconfigurations = 0;
  let retries = 0;
  let acknowledged = 0n;

  async function open(): Promise<void> {
    const connector = "test";
    const { signal } = stopping;
    const config = parseConfig(definition, options.config);
    const requestTaskReconfiguration = () => {
      reconfigurations += 1;
    };
    const context = { connector, log, requestTaskReconfiguration };
    instance = (await definition.open?.(config, context, signal)) ?? null;
    const overlays = await definition.planTasks(config, options.maxTasks ?? 1, signal);
    for (const [index, overlay] of overlays.entries()) {
      const recorder = createMetricRecorder();
      metrics.push(recorder);
      const task = await definition.openTask(
        parseConfig(definition, { ...options.config, ...overlay }),
        {
          connector,
          task: index,
          log,
          metrics: recorder,
          offset: async (partition) => offsets.read(partition),
          transactions: null,
        },
        signal,
      );
      running.push({ task, poll: null });
    }
  }

  async function poll(each: Running): Promise<readonly SourceRecord[]> {
    try {
      const records = await each.task.poll(stopping.signal);
      for (const record of records) owners.set(record, each);
      if (records.length === 0) await sleep(1);
      return records;
    } catch (error) {
      if (stopping.signal.aborted) return [];
      if (!(error instanceof RetriableError)) throw error;
      retries += 1;
      await sleep(RETRY_PAUSE_MS);
      return [];
    }
  }

  /** Waits until one of the polls has ended, and takes what those that have ended gave. */
  async function pollOnce(): Promise<void> {
    const racing = running.map((each) => {
      each.poll ??= poll(each);
      return each.poll.then(
        (records) => ({ each, records }),
        (error: unknown) => {
          each.poll = null; // A task that has failed is not polled again, but may be told what Kafka has.
          throw error;
        },
      );
    });
    const { each, records } = await Promise.race(racing);
    each.poll = null;
    taken.push(...records);
  }

  /** Calls of a task do not overlap. */
  async function settlePoll(each: Running): Promise<void> {
    const { poll: pending } = each;
    if (pending === null) return;
    const what =
      "poll, while `committed` has something to tell: it has to return now and then, with [] if there is nothing";
    const records = await within(CALL_MS, what, pending);
    each.poll = null;
    taken.push(...records);
  }

  async function close(): Promise<void> {
    stopping.abort();
    closed.reject(new Error("the source was closed"));
    const open = running.flatMap(({ poll: pending }) => (pending === null ? [] : [pending]));
    await within(options.patienceMs ?? CALL_MS, "a poll whose signal has aborted", Promise.allSettled(open));
    for (const { task } of running.splice(0)) await task.close();
    await instance?.close();
    instance = null;
  }

  try {
    await within(CALL_MS, "opening the connector", open());
  } catch (error) {
    await close();
    throw error;
  }

  return {
    tasks: running.length,
    log,
    metrics,
    reconfigurations: () => reconfigurations,
    retries: () => retries,
    async take(count, timeoutMs = options.patienceMs ?? CALL_MS) {
      const deadline = performance.now() + timeoutMs;
      while (taken.length < count) {
        const left = deadline - performance.now();
        const what = `taking ${count} records (there are ${taken.length} so far; log: ${log.lines.slice(-5).join(" | ")})`;
        await within(Math.max(1, left), what, Promise.race([pollOnce(), closed.promise]));
      }
      return taken.splice(0);
    },
    async acknowledge(records) {
      for (const each of running) {
        const own = records.filter((record) => owners.get(record) === each);
        for (const { sourcePartition, sourceOffset } of own) offsets.write(sourcePartition, sourceOffset);
        if (own.length === 0 || each.task.committed === undefined) continue;
        await settlePoll(each);
        const committed = own.map((record) => ({
          record,
          metadata: { topic: record.topic, partition: record.partition ?? 0, offset: acknowledged++ },
        }));
        await each.task.committed(committed);
      }
    },
    close,
  };
}
