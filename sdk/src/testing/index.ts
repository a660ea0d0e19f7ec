/**
 * Tools for the tests of connectors: run one in memory, put it through the acceptance suite, or let a real worker run it on a real Kafka.
 */
export type {
  AcceptanceCase,
  Misconfiguration,
  NotApplicable,
  Outage,
  Poisoned,
  Stall,
} from "./acceptance.ts";
export type { Configured } from "./config.ts";
export { parseConfig, problemsOf } from "./config.ts";
export type { LogRecorder, MetricRecorder } from "./contexts.ts";
export { createLogRecorder, createMetricRecorder } from "./contexts.ts";
export type { Connections } from "./leaks.ts";
export { assertNoLeaks } from "./leaks.ts";
export type { MemoryOffsets } from "./memory-offsets.ts";
export { createMemoryOffsets } from "./memory-offsets.ts";
export type { SinkAcceptance, SinkSystem, SinkTopic } from "./sink-acceptance.ts";
export { sinkAcceptance } from "./sink-acceptance.ts";
export type { Errant, SinkRecordParts, SinkRun, SinkRunOptions } from "./sink-run.ts";
export { openSinkRun, sinkRecord } from "./sink-run.ts";
export type { SourceAcceptance, SourceSystem, SourceTopic } from "./source-acceptance.ts";
export { sourceAcceptance } from "./source-acceptance.ts";
export type { SourceRun, SourceRunOptions } from "./source-run.ts";
export { openSourceRun } from "./source-run.ts";
export { until, within } from "./waiting.ts";
export type { WorkerRun, WorkerRunOptions } from "./worker-run.ts";
export { openWorkerRun } from "./worker-run.ts";
