import type { OffsetMap, SinkTaskContext, SourceRecord, SourceTask, SourceTaskContext } from "@headrace/sdk";
import { createPluginMetrics } from "#runtime/task/plugin-metrics.ts";
import { createLogRecorder } from "./task-run.ts";

/** The context of a source task whose offsets stand in a function. */
export function sourceContext(offset: (partition: OffsetMap) => OffsetMap | null = () => null) {
  const log = createLogRecorder();
  const { metrics } = createPluginMetrics();
  const context: SourceTaskContext = {
    connector: "c",
    task: 0,
    log,
    metrics,
    offset: async (partition) => offset(partition),
    transactions: null,
  };
  return { context, log };
}

/** The context of a sink task that owns nothing. */
export function sinkContext() {
  const log = createLogRecorder();
  const context: SinkTaskContext = {
    connector: "c",
    task: 0,
    log,
    metrics: createPluginMetrics().metrics,
    errantRecords: null,
    assignment: () => [],
    rewind: () => {},
    pause: () => {},
    resume: () => {},
    requestCommit: () => {},
    timeout: () => {},
  };
  return { context, log };
}

/** Polls until there are so many records. */
export async function pollUntil(task: SourceTask, count: number): Promise<SourceRecord[]> {
  const signal = AbortSignal.timeout(5_000);
  const records: SourceRecord[] = [];
  while (records.length < count) {
    signal.throwIfAborted();
    records.push(...(await task.poll(signal)));
  }
  return records;
}
