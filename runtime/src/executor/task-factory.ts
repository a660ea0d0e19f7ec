import type { StringMap } from "@headrace/contract";
import {
  ConfigError,
  type Logger,
  type PluginMetrics,
  type SinkDefinition,
  type SourceDefinition,
} from "@headrace/sdk";
import { z } from "zod";
import type { ConfigResolver } from "../config-providers/resolver.ts";
import type { TopicAdmin } from "../kafka/topic-admin.ts";
import { isExactlyOnce } from "../offsets-place.ts";
import { compilePipeline } from "../plugins/compile-pipeline.ts";
import { parseConfig } from "../plugins/config-def.ts";
import { SINK_KEYS, type SinkConfig, SOURCE_KEYS, type SourceConfig } from "../plugins/connector-keys.ts";
import type { ConnectorDefinition, PluginRegistry } from "../plugins/registry.ts";
import { createDeadLetters } from "../task/dead-letter.ts";
import type { MetricSettings } from "../task/metric-window.ts";
import { createPluginMetrics, type PluginMetricValue } from "../task/plugin-metrics.ts";
import { compileSinkPipeline, compileSourcePipeline, type PipelineParts } from "../task/record-pipeline.ts";
import type { TaskBody } from "../task/runner.ts";
import { createSinkTask } from "../task/sink-task.ts";
import type { ExactlyOnceOptions, TransactionBoundary } from "../task/source-options.ts";
import { createSourceTask } from "../task/source-task.ts";
import type { TolerancePolicy } from "../task/tolerance.ts";
import { parseTopicCreation, type TopicCreation } from "../task/topic-creation.ts";
import { createTopicTeller } from "../task/topic-teller.ts";
import { tooManyTasks } from "../task-limit.ts";
import type { TaskClasses, TaskKey, TaskStart } from "./channel.ts";
import type { ClientOwner, TaskClients } from "./clients.ts";
import type { OffsetsTopics } from "./offsets-topics.ts";
import { removeMember, removePredecessor } from "./sink-members.ts";
import { taskClassesOf, withClassNames } from "./task-classes.ts";
import { createTaskOffsets, type OpenTaskOffsets, type WorkerOffsets } from "./task-offsets.ts";

/** What the tasks of one executor share. */
export interface TaskEnvironment extends WorkerOffsets {
  readonly worker: StringMap;
  readonly plugins: PluginRegistry;
  readonly resolver: Pick<ConfigResolver, "resolve">;
  readonly clients: TaskClients;
  readonly offsetsTopics: OffsetsTopics;
  /** See {@link WorkerCalls}. */
  readonly fenceZombies: (connector: string, signal: AbortSignal) => Promise<void>;
  readonly isCurrentTask: (key: TaskKey, taskGeneration: number, signal: AbortSignal) => Promise<boolean>;
  readonly activeTopic: (connector: string, task: number, topic: string) => void;
  /** Puts placeholders in place of whatever config providers have given, in texts that leave this process. */
  readonly hide: (text: string) => string;
  readonly now: () => number;
  readonly random: () => number;
}

/** The keys of the worker's configuration that tasks read. */
const WORKER_KEYS = z.object({
  "offset.flush.interval.ms": z.coerce.number().int().positive().default(60_000),
  "offset.flush.timeout.ms": z.coerce.number().int().positive().default(5_000),
  "retry.backoff.ms": z.coerce.number().int().nonnegative().default(100),
  "retry.backoff.max.ms": z.coerce.number().int().nonnegative().default(1_000),
  "topic.creation.enable": z.stringbool({ truthy: ["true"], falsy: ["false"] }).default(true),
  "metrics.num.samples": z.coerce.number().int().positive().default(2),
  "metrics.sample.window.ms": z.coerce.number().int().positive().default(30_000),
  "topic.tracking.enable": z.stringbool({ truthy: ["true"], falsy: ["false"] }).default(true),
});

/** What is known of a task once its configuration was resolved and its plugins were found. */
interface Prepared<D extends ConnectorDefinition, C> {
  readonly definition: D;
  readonly owner: ClientOwner;
  readonly common: C;
  readonly taskConfig: Record<string, unknown>;
  readonly label: string;
  readonly log: Logger;
  readonly worker: z.output<typeof WORKER_KEYS>;
  readonly metrics: PluginMetrics;
  readonly metricSettings: MetricSettings;
}

/** A task that is ready to run, and what its metrics tell besides its counters. */
export interface BuiltTask {
  readonly body: TaskBody;
  readonly definition: ConnectorDefinition;
  readonly classes: TaskClasses;
  readonly ownMetrics: () => readonly PluginMetricValue[];
}

/**
 * Throws ConfigError for a task of a set that is larger than its connector may have: stored before the limit was enforced, or by a worker that
 * does not enforce it (KIP-1004).
 */
export async function checkTaskLimit(
  { resolver }: Pick<TaskEnvironment, "resolver">,
  { key, connectorConfig, taskCount }: Pick<TaskStart, "key" | "connectorConfig" | "taskCount">,
  signal: AbortSignal,
): Promise<void> {
  const own = Object.entries(connectorConfig).filter(([name]) => name.startsWith("tasks.max"));
  const refusal = tooManyTasks(key.connector, await resolver.resolve(Object.fromEntries(own), signal), taskCount);
  if (refusal !== null) throw new ConfigError(refusal);
}

/**
 * Builds a task: resolves its configuration, finds and compiles its plugins. Throws ConfigError for whatever the configuration has wrong;
 * nothing is opened before the body runs.
 */
export async function buildTask(
  environment: TaskEnvironment,
  start: TaskStart,
  log: Logger,
  signal: AbortSignal,
): Promise<BuiltTask> {
  const { plugins, resolver } = environment;
  const { connector, task } = start.key;
  const connectorConfig = await resolver.resolve(start.connectorConfig, signal);
  const resolved = await resolver.resolve(start.taskConfig, signal);
  const definition = plugins.connector(
    connectorConfig["connector.class"]?.trim() ?? "",
    connectorConfig["connector.plugin.version"],
  );
  const owner = { worker: environment.worker, connectorConfig, connector, task };
  const workerKeys = WORKER_KEYS.parse(environment.worker);
  const own = createPluginMetrics();
  const prepared = {
    owner,
    taskConfig: orThrow(parseConfig(definition.config, resolved)),
    label: `${connector}-${task}`,
    log,
    worker: workerKeys,
    metrics: own.metrics,
    metricSettings: {
      samples: workerKeys["metrics.num.samples"],
      sampleWindowMs: workerKeys["metrics.sample.window.ms"],
      now: environment.now,
    },
  };
  const built = (body: TaskBody): BuiltTask => {
    const classes = taskClassesOf(plugins, definition, environment.worker, connectorConfig);
    return { body, definition, classes, ownMetrics: own.values };
  };
  if (definition.kind === "source") {
    const common = orThrow(parseConfig(SOURCE_KEYS, connectorConfig));
    return built(buildSource(environment, { ...prepared, definition, common }, start.taskGeneration));
  }
  const common = orThrow(parseConfig(SINK_KEYS, connectorConfig));
  return built(buildSink(environment, { ...prepared, definition, common }, start.evictPredecessor === true));
}

function buildSource(
  environment: TaskEnvironment,
  prepared: Prepared<SourceDefinition, SourceConfig>,
  taskGeneration: number,
): TaskBody {
  const { clients } = environment;
  const { definition, owner, common, taskConfig, label, log, worker } = prepared;
  const { connector, task } = owner;
  const creation = worker["topic.creation.enable"] ? parseTopicCreation(owner.connectorConfig) : null;
  const admin = creation === null ? null : clients.createAdmin(owner, "connector-adminclient");
  const offsets = createTaskOffsets(environment, environment.offsetsTopics, owner, log);
  const body = createSourceTask({
    label,
    context: { connector, task, log, metrics: prepared.metrics },
    openTask: (context, signal) => definition.openTask(taskConfig, context, signal),
    pipeline: compileSourcePipeline(pipelineOf(environment, owner)),
    policy: policyOf(common),
    metricSettings: prepared.metricSettings,
    openProducer: (options) => clients.openSourceProducer(owner, options),
    ensureTopic: creation === null || admin === null ? null : ensureTopicBy(creation, admin, log),
    offsets,
    exactlyOnce: isExactlyOnce(environment.worker)
      ? exactlyOnceOf(environment, prepared, { offsets, taskGeneration })
      : null,
    activeTopic: activeTopicOf(environment, prepared),
    flushIntervalMs: worker["offset.flush.interval.ms"],
    flushTimeoutMs: worker["offset.flush.timeout.ms"],
    log,
    now: environment.now,
    random: environment.random,
  });
  return endingWith(body, async () => {
    admin?.close();
    await offsets.stop();
  });
}

function boundaryOf(text: string, intervalMs: number): TransactionBoundary {
  if (text === "interval") return { kind: "interval", intervalMs };
  return { kind: text === "connector" ? "connector" : "poll" };
}

/** What exactly-once delivery needs besides (KIP-618). */
function exactlyOnceOf(
  environment: TaskEnvironment,
  { owner, common, worker }: Prepared<SourceDefinition, SourceConfig>,
  { offsets, taskGeneration }: { readonly offsets: OpenTaskOffsets; readonly taskGeneration: number },
): ExactlyOnceOptions {
  const { connector, task } = owner;
  const intervalMs = common["transaction.boundary.interval.ms"] ?? worker["offset.flush.interval.ms"];
  return {
    boundary: boundaryOf(common["transaction.boundary"], intervalMs),
    fence: (signal) => environment.fenceZombies(connector, signal),
    openProducer: (options) => environment.clients.openTransactionalProducer(owner, options),
    isCurrent: (signal) => environment.isCurrentTask({ connector, task }, taskGeneration, signal),
    offsetsTopic: offsets.topic,
    offsets,
  };
}

function ensureTopicBy(creation: TopicCreation, admin: TopicAdmin, log: Logger) {
  return async (topic: string, signal: AbortSignal): Promise<void> => {
    if ((await admin.partitions(topic, signal)) !== null) return;
    const outcome = await admin.createTopic({ topic, ...creation(topic) }, signal);
    if (outcome === "created") log.info({ topic }, "topic created");
    if (outcome === "forbidden") log.warn({ topic }, "topic may not be created by this connector");
  };
}

function buildSink(
  environment: TaskEnvironment,
  prepared: Prepared<SinkDefinition, SinkConfig>,
  evictPredecessor: boolean,
): TaskBody {
  const { clients } = environment;
  const { definition, owner, common, taskConfig, label, log, worker } = prepared;
  const { connector, task } = owner;
  const topics = [...new Set(common.topics)];
  if ((topics.length === 0) === (common["topics.regex"] === "")) {
    throw new ConfigError("Must configure one of topics or topics.regex");
  }
  const subscription = topics.length > 0 ? { topics } : { regex: common["topics.regex"] };
  return createSinkTask({
    label,
    context: { connector, task, log, metrics: prepared.metrics },
    openTask: (context, signal) => definition.openTask(taskConfig, context, signal),
    pipeline: compileSinkPipeline(pipelineOf(environment, owner), definition.takesUtf8Text),
    policy: policyOf(common),
    metricSettings: prepared.metricSettings,
    async openConsumer(signal) {
      if (evictPredecessor) await removePredecessor(clients, owner, log, signal);
      return await clients.openSinkConsumer(owner, subscription);
    },
    removeMember: (memberId, signal) => removeMember(clients, owner, memberId, signal),
    openDeadLetters: deadLettersOf(environment, prepared),
    activeTopic: activeTopicOf(environment, prepared),
    flushIntervalMs: worker["offset.flush.interval.ms"],
    flushTimeoutMs: worker["offset.flush.timeout.ms"],
    retryBackoffMs: worker["retry.backoff.ms"],
    retryBackoffMaxMs: worker["retry.backoff.max.ms"],
    log,
    now: environment.now,
    random: environment.random,
  });
}

/** Longest wait for the dead letter queue's topic. */
const DLQ_TOPIC_TIMEOUT_MS = 30_000;

function deadLettersOf(
  { clients, hide }: TaskEnvironment,
  { owner, common, log }: Prepared<SinkDefinition, SinkConfig>,
) {
  const topic = common["errors.deadletterqueue.topic.name"];
  if (topic === "") return null;
  return async () => {
    const admin = clients.createAdmin(owner, "connector-dlq-adminclient");
    try {
      const replicationFactor = common["errors.deadletterqueue.topic.replication.factor"];
      const settings = { partitions: 1, replicationFactor, configs: {} };
      await ensureTopicBy(() => settings, admin, log)(topic, AbortSignal.timeout(DLQ_TOPIC_TIMEOUT_MS));
    } finally {
      admin.close();
    }
    return createDeadLetters({
      topic,
      connector: owner.connector,
      task: owner.task,
      contextHeaders: common["errors.deadletterqueue.context.headers.enable"],
      producer: await clients.openDeadLetterProducer(owner),
      hide,
    });
  };
}

function activeTopicOf(
  environment: TaskEnvironment,
  { owner, worker }: Pick<Prepared<ConnectorDefinition, unknown>, "owner" | "worker">,
): (topic: string) => void {
  if (!worker["topic.tracking.enable"]) return () => {};
  return createTopicTeller((topic) => environment.activeTopic(owner.connector, owner.task, topic), environment.now);
}

function pipelineOf({ plugins }: TaskEnvironment, owner: ClientOwner): PipelineParts {
  return withClassNames(plugins, compilePipeline(plugins, owner.worker, owner.connectorConfig));
}

function policyOf(common: SourceConfig | SinkConfig): TolerancePolicy {
  return {
    tolerance: common["errors.tolerance"],
    retryTimeoutMs: common["errors.retry.timeout"],
    retryDelayMaxMs: common["errors.retry.delay.max.ms"],
    logEnable: common["errors.log.enable"],
    logIncludeMessages: common["errors.log.include.messages"],
  };
}

function endingWith(body: TaskBody, close: () => Promise<void>): TaskBody {
  return {
    async run(control) {
      try {
        await body.run(control);
      } finally {
        await close();
      }
    },
    metrics: () => body.metrics(),
  };
}

function orThrow<T>(parsed: { readonly value: T } | { readonly problems: readonly string[] }): T {
  if ("problems" in parsed) throw new ConfigError(parsed.problems.join("; "));
  return parsed.value;
}
