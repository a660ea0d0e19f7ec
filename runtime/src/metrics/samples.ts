import type { GroupView } from "../group/group.ts";
import type { StartCounters } from "../herder/start-counters.ts";
import type { Work } from "../herder/work.ts";
import { type GroupName, metricName, PLUGIN_METRIC_PREFIX } from "./families.ts";
import type { GroupMetrics } from "./group-metrics.ts";
import type { TaskBook } from "./task-book.ts";

/** What is read at each scrape. */
export interface MetricsSource {
  readonly workerId: string;
  readonly clientId: string;
  readonly version: string;
  readonly commit: string;
  readonly startedAtMs: number;
  view(): GroupView;
  running(): readonly Readonly<Work>[];
  readonly starts: StartCounters;
  readonly tasks: TaskBook;
  readonly group: GroupMetrics;
  /** Type, class and version of a connector's plugin; null while it is not known. */
  plugin(connector: string): { readonly type: string; readonly class: string; readonly version: string } | null;
  executors(): readonly {
    readonly pid: number;
    readonly connectors: number;
    readonly tasks: number;
    readonly memoryBytes: number;
  }[];
  lostExecutors(): number;
}

/** One number with its labels. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of metrics that plugins add; all others are declared. */
  readonly plugin?: { readonly help: string; readonly type: "counter" | "gauge" };
}

type Labels = Readonly<Record<string, string>>;

function number(group: GroupName, attribute: string, value: number, labels: Labels = {}): Sample {
  return { name: metricName(group, attribute), labels, value };
}

function text(group: GroupName, attribute: string, value: string, labels: Labels = {}): Sample {
  return {
    name: metricName(group, attribute),
    labels: { ...labels, [attribute.replaceAll("-", "_")]: value },
    value: 1,
  };
}

function* numbers(group: GroupName, values: Readonly<Record<string, number>>, labels: Labels = {}): Generator<Sample> {
  for (const [attribute, value] of Object.entries(values)) yield number(group, attribute, value, labels);
}

/** Everything, as of now. */
export function* samples(source: MetricsSource): Generator<Sample> {
  yield* ofWorker(source);
  yield* ofGroup(source);
  const running = source.running();
  yield* ofConnectors(source, running);
  for (const work of running) if (work.task !== null) yield* ofTask(source, work, work.task);
}

const PROTOCOLS = ["EAGER", "COMPATIBLE", "SESSIONED"];

function* ofWorker(source: MetricsSource): Generator<Sample> {
  for (const [kind, counts] of [
    ["connector", source.starts.connectors],
    ["task", source.starts.tasks],
  ] as const) {
    const attempts = counts.succeeded + counts.failed;
    const share = (part: number) => (attempts === 0 ? 0 : part / attempts);
    yield* numbers("worker", {
      [`${kind}-startup-attempts-total`]: attempts,
      [`${kind}-startup-success-total`]: counts.succeeded,
      [`${kind}-startup-success-percentage`]: share(counts.succeeded),
      [`${kind}-startup-failure-total`]: counts.failed,
      [`${kind}-startup-failure-percentage`]: share(counts.failed),
    });
  }
  yield number("appInfo", "app_info", 1, { version: source.version, commit_id: source.commit });
  yield number("app", "start_time_seconds", source.startedAtMs / 1_000);
  const executors = source.executors();
  yield* numbers("executors", { executors: executors.length, "executors-lost-total": source.lostExecutors() });
  for (const { pid, tasks, connectors, memoryBytes } of executors) {
    yield* numbers("executor", { tasks, connectors, "memory-bytes": memoryBytes }, { pid: String(pid) });
  }
}

function* ofGroup(source: MetricsSource): Generator<Sample> {
  const view = source.view();
  const mine = view.members.find((member) => member.memberId === view.memberId)?.assignment;
  yield text("rebalance", "connect-protocol", PROTOCOLS[view.protocolVersion] ?? String(view.protocolVersion));
  yield text("rebalance", "leader-name", view.leaderUrl ?? "");
  yield* numbers("rebalance", {
    epoch: view.generation,
    rebalancing: Number(view.rebalancing),
    ...source.group.rebalances(),
  });
  const assigned = {
    "assigned-connectors": mine?.connectors.length ?? 0,
    "assigned-tasks": mine?.tasks.length ?? 0,
  };
  yield* numbers("coordinator", { ...assigned, ...source.group.coordinator() }, { clientid: source.clientId });
}

function* ofConnectors(source: MetricsSource, running: readonly Readonly<Work>[]): Generator<Sample> {
  const instances = running.filter((work) => work.task === null);
  const tasks = running.filter((work) => work.task !== null);
  yield* numbers("worker", { "connector-count": instances.length, "task-count": tasks.length });
  for (const work of instances) {
    const labels = { connector: work.connector };
    yield text("connector", "status", statusOf(work), labels);
    const plugin = source.plugin(work.connector);
    if (plugin === null) continue;
    yield text("connector", "connector-type", plugin.type, labels);
    yield text("connector", "connector-class", plugin.class, labels);
    yield text("connector", "connector-version", plugin.version, labels);
  }
  for (const [connector, own] of Map.groupBy(tasks, (work) => work.connector)) {
    const count = (wanted: string) => own.filter((work) => statusOf(work) === wanted).length;
    yield number("workerConnector", "connector-total-task-count", own.length, { connector });
    for (const status of ["running", "paused", "failed", "unassigned", "destroyed", "restarting"]) {
      yield number("workerConnector", `connector-${status}-task-count`, count(status), { connector });
    }
  }
}

/** Of tasks that are here still; the numbers of failed ones stay. */
function* ofTask(source: MetricsSource, work: Readonly<Work>, task: number): Generator<Sample> {
  const { connector } = work;
  const labels = { connector, task: String(task) };
  yield text("task", "status", statusOf(work), labels);
  const ratios = source.tasks.ratios(connector, task);
  yield* numbers("task", { "running-ratio": ratios.running, "pause-ratio": ratios.paused }, labels);
  const known = source.tasks.get(connector, task);
  if (known === null) return;
  for (const [attribute, value] of Object.entries(known.values)) {
    yield number(groupOf(attribute), attribute, value, labels);
  }
  for (const [attribute, value] of Object.entries(known.classes?.attributes ?? {})) {
    yield text("task", attribute, value, labels);
  }
  for (const { alias, ...plugin } of known.classes?.transforms ?? []) {
    yield text("transform", "transform-class", plugin.class, { ...labels, transform: alias });
    yield text("transform", "transform-version", plugin.version, { ...labels, transform: alias });
  }
  for (const { alias, ...plugin } of known.classes?.predicates ?? []) {
    yield text("predicate", "predicate-class", plugin.class, { ...labels, predicate: alias });
    yield text("predicate", "predicate-version", plugin.version, { ...labels, predicate: alias });
  }
  for (const { name, value, help, type } of known.own) {
    yield { name: `${PLUGIN_METRIC_PREFIX}${name.replaceAll("-", "_")}`, labels, value, plugin: { help, type } };
  }
}

/** The metric group of a task's number. */
function groupOf(attribute: string): GroupName {
  if (/^(source-|poll-batch-|transaction-)/.test(attribute)) return "source";
  if (/^(sink-|put-batch-|partition-count|offset-commit-(seq-no|completion|skip))/.test(attribute)) return "sink";
  if (/^(total-|deadletterqueue-|last-error-)/.test(attribute)) return "error";
  return "task";
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
