import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { TaskMetrics } from "./executor/channel.ts";
import type { GroupView } from "./group/group.ts";
import type { StartCounters } from "./herder/start-counters.ts";
import type { Work } from "./herder/work.ts";

/** What is read at each scrape. */
export interface MetricsSource {
  readonly workerId: string;
  readonly version: string;
  readonly protocol: string;
  view(): GroupView;
  running(): readonly Readonly<Work>[];
  readonly starts: StartCounters;
  readonly tasks: ReadonlyMap<string, TaskMetrics>;
  readonly rebalances: { readonly completed: number; readonly lastMs: number | null };
  executors(): readonly { readonly pid: number; readonly connectors: number; readonly tasks: number }[];
  now(): number;
}

/** One number with its labels; names ending in `_total` are counters. */
interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Metrics under the names that the usual jmx-exporter rules give to Kafka Connect's (contract §11), and the process's own. Everything
 * is read when it is asked for.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #families = new Map<string, Counter | Gauge>();
  readonly #source: MetricsSource;

  constructor(source: MetricsSource) {
    this.#source = source;
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition text as of now. */
  text(): Promise<string> {
    for (const family of this.#families.values()) family.reset();
    const source = this.#source;
    const samples = [...workerSamples(source), ...workSamples(source), ...taskSamples(source)];
    for (const sample of samples) this.#put(sample);
    return this.#registry.metrics();
  }

  #put({ name, labels, value }: Sample): void {
    const family = this.#families.get(name) ?? this.#create(name, Object.keys(labels));
    if (family instanceof Counter) family.inc(labels, value);
    else family.set(labels, value);
  }

  #create(name: string, labelNames: string[]): Counter | Gauge {
    const options = { name, help: `Kafka Connect's ${name}.`, labelNames, registers: [this.#registry] };
    const family = name.endsWith("_total") ? new Counter(options) : new Gauge(options);
    this.#families.set(name, family);
    return family;
  }
}

function* workerSamples(source: MetricsSource): Generator<Sample> {
  const view = source.view();
  const mine = view.members.find((member) => member.memberId === view.memberId)?.assignment;
  const sample = (name: string, value: number, labels: Readonly<Record<string, string>> = {}) => ({
    name,
    labels,
    value,
  });
  for (const [kind, counts] of [
    ["connector", source.starts.connectors],
    ["task", source.starts.tasks],
  ] as const) {
    const attempts = counts.succeeded + counts.failed;
    yield sample(`kafka_connect_worker_${kind}_startup_attempts_total`, attempts);
    yield sample(`kafka_connect_worker_${kind}_startup_success_total`, counts.succeeded);
    yield sample(`kafka_connect_worker_${kind}_startup_failure_total`, counts.failed);
    yield sample(
      `kafka_connect_worker_${kind}_startup_success_percentage`,
      attempts === 0 ? 0 : counts.succeeded / attempts,
    );
    yield sample(
      `kafka_connect_worker_${kind}_startup_failure_percentage`,
      attempts === 0 ? 0 : counts.failed / attempts,
    );
  }
  yield sample("kafka_connect_worker_rebalance_completed_rebalances_total", source.rebalances.completed);
  yield sample("kafka_connect_worker_rebalance_epoch", view.generation);
  yield sample("kafka_connect_worker_rebalance_rebalancing", view.rebalancing ? 1 : 0);
  yield sample("kafka_connect_worker_rebalance_connect_protocol", 1, { connect_protocol: source.protocol });
  yield sample("kafka_connect_worker_rebalance_leader_name", 1, { leader_name: view.leaderUrl ?? "" });
  const { lastMs } = source.rebalances;
  yield sample(
    "kafka_connect_worker_rebalance_time_since_last_rebalance_ms",
    lastMs === null ? 0 : source.now() - lastMs,
  );
  yield sample("kafka_connect_coordinator_assigned_connectors", mine?.connectors.length ?? 0);
  yield sample("kafka_connect_coordinator_assigned_tasks", mine?.tasks.length ?? 0);
  yield sample("kafka_connect_app_info", 1, { version: source.version });
  const executors = source.executors();
  yield sample("headrace_executors", executors.length);
  for (const { pid, tasks } of executors) yield sample("headrace_executor_tasks", tasks, { pid: String(pid) });
}

function* workSamples(source: MetricsSource): Generator<Sample> {
  const running = source.running();
  const instances = running.filter((work) => work.task === null);
  yield { name: "kafka_connect_worker_connector_count", labels: {}, value: instances.length };
  yield { name: "kafka_connect_worker_task_count", labels: {}, value: running.length - instances.length };
  for (const work of running) {
    const status = statusOf(work);
    if (work.task === null) {
      yield { name: "kafka_connect_connector_status", labels: { connector: work.connector, status }, value: 1 };
    } else {
      const labels = { connector: work.connector, task: String(work.task), status };
      yield { name: "kafka_connect_connector_task_status", labels, value: 1 };
    }
  }
  const byConnector = Map.groupBy(
    running.filter((work) => work.task !== null),
    (work) => work.connector,
  );
  for (const [connector, tasks] of byConnector) {
    const count = (wanted: string) => tasks.filter((work) => statusOf(work) === wanted).length;
    const labels = { connector };
    yield { name: "kafka_connect_worker_connector_total_task_count", labels, value: tasks.length };
    for (const status of ["running", "paused", "failed", "unassigned", "restarting"]) {
      yield { name: `kafka_connect_worker_connector_${status}_task_count`, labels, value: count(status) };
    }
  }
}

function statusOf(work: Readonly<Work>): string {
  switch (work.phase) {
    case "starting":
    case "stopping":
      return "unassigned";
    case "running":
      return work.targetState === "PAUSED" ? "paused" : "running";
    case "failed":
      return "failed";
    case "waiting":
      return "restarting";
    default:
      throw new Error(`unreachable: ${work.phase satisfies never}`);
  }
}

/** Numbers of tasks that are here still; those of failed ones stay. */
function* taskSamples(source: MetricsSource): Generator<Sample> {
  for (const { connector, task } of source.running()) {
    const metrics = source.tasks.get(`${connector}-${task}`);
    if (task === null || metrics === undefined) continue;
    const { key, values } = metrics;
    const labels = { connector: key.connector, task: String(key.task) };
    for (const [attribute, value] of Object.entries(values)) {
      yield { name: `kafka_connect_${groupOf(attribute)}_${attribute.replaceAll("-", "_")}`, labels, value };
    }
  }
}

/** The metric group of a task's attribute (contract §11). */
function groupOf(attribute: string): string {
  if (/^(source-|poll-batch-|transaction-)/.test(attribute)) return "source_task";
  if (/^(sink-|put-batch-|partition-count|offset-commit-(seq-no|completion|skip))/.test(attribute)) return "sink_task";
  if (/^(total-|deadletterqueue-|last-error-)/.test(attribute)) return "task_error";
  return "connector_task";
}
