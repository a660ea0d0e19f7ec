import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Consumer, Kafka, logLevel } from "kafkajs";

/**
 * Watches topics and files for progress, so that one can tell when each of them moved again after an event.
 * Topics are judged by the time at which a record was created (its producer's clock, the same machine), files by the time at which they grew.
 */
export interface ProgressMonitor {
  /** Milliseconds since the epoch of the first progress after `sinceMs`, by label or file; null where there was none yet. */
  firstProgress(names: readonly string[], sinceMs: number): ReadonlyMap<string, number | null>;
  /** The longest time without progress since `sinceMs` until now, ms. */
  longestGap(name: string, sinceMs: number): number;
  stop(): Promise<void>;
}

/** Bound on what is remembered per topic or file. */
const MAX_MOMENTS = 100_000;
const FILE_POLL_MS = 10;
const SESSION_MS = 10_000;
/** Longest wait for topics that are not there yet. */
const TOPICS_MS = 60_000;
const TOPIC_POLL_MS = 100;

/** Starts watching; resolves when the topics are being read. */
export async function startProgressMonitor(options: {
  readonly bootstrap: string;
  readonly topics: readonly string[];
  readonly files: readonly string[];
  /** Tells apart what is in one topic, for instance the records of several tasks. Default: the topic's name. */
  readonly label?: (topic: string, value: Buffer | null) => string;
}): Promise<ProgressMonitor> {
  const moments = new Map<string, number[]>();
  const note = (name: string, atMs: number) => {
    const list = moments.get(name) ?? [];
    moments.set(name, list);
    if (list.at(-1) === atMs) return;
    list.push(atMs);
    if (list.length > MAX_MOMENTS) list.shift();
  };
  const kafka = new Kafka({ brokers: [options.bootstrap], logLevel: logLevel.NOTHING });
  const consumer = await readTopics(kafka, options.topics, options.label ?? ((topic) => topic), note);
  const stopping = new AbortController();
  const files = watchFiles(options.files, note, stopping.signal);
  return {
    firstProgress: (names, sinceMs) =>
      new Map(names.map((name) => [name, moments.get(name)?.find((moment) => moment > sinceMs) ?? null])),
    longestGap: (name, sinceMs) => {
      const later = (moments.get(name) ?? []).filter((moment) => moment > sinceMs);
      const edges = [sinceMs, ...later.toSorted((a, b) => a - b), Date.now()];
      return Math.max(...edges.slice(1).map((moment, index) => moment - (edges[index] ?? moment)));
    },
    stop: async () => {
      stopping.abort();
      await files;
      await consumer.disconnect();
    },
  };
}

async function readTopics(
  kafka: Kafka,
  topics: readonly string[],
  label: (topic: string, value: Buffer | null) => string,
  note: (name: string, atMs: number) => void,
): Promise<Consumer> {
  const consumer = kafka.consumer({
    groupId: `progress-monitor-${process.pid}-${Math.random().toString(36).slice(2)}`,
    maxWaitTimeInMs: 20,
    // After an outage it may come back as another member, which waits so long for the former one.
    sessionTimeout: SESSION_MS,
    rebalanceTimeout: SESSION_MS,
    retry: { retries: 1000, initialRetryTime: 50, maxRetryTime: 300 },
  });
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => resolve());
  });
  await consumer.connect();
  await subscribe(consumer, topics);
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) note(label(batch.topic, message.value), Number(message.timestamp));
    },
  });
  await joined;
  return consumer;
}

/** A topic that a source makes with its first record may be on its way still. */
async function subscribe(consumer: Consumer, topics: readonly string[]): Promise<void> {
  const deadline = performance.now() + TOPICS_MS;
  for (;;) {
    try {
      await consumer.subscribe({ topics: [...topics], fromBeginning: false });
      return;
    } catch (error) {
      const isMissing = error instanceof Error && "type" in error && error.type === "UNKNOWN_TOPIC_OR_PARTITION";
      if (!isMissing || performance.now() > deadline) throw error;
      await sleep(TOPIC_POLL_MS);
    }
  }
}

async function watchFiles(
  files: readonly string[],
  note: (name: string, atMs: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const sizes = new Map<string, number>();
  while (!signal.aborted) {
    for (const file of files) {
      const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      if (size > (sizes.get(file) ?? 0)) note(file, Date.now());
      sizes.set(file, size);
    }
    await sleep(FILE_POLL_MS);
  }
}
