/**
 * Every metric that `/metrics` serves, declared once: names, labels and help of the exposition, the table of docs/metrics.md, and the
 * comparison with a JVM worker's MBeans all come from here.
 */

/** One metric. */
export interface Family {
  /** Under which the exposition has it. */
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly labels: readonly string[];
  readonly help: string;
  /** The MBean attribute it stands for, `type` without the domain; null: Headrace's own. */
  readonly bean: { readonly type: string; readonly attribute: string } | null;
}

interface Group {
  /** Of the MBean; null: Headrace's own. */
  readonly bean: string | null;
  readonly prefix: string;
  readonly labels: readonly string[];
  /** Help by attribute. One that ends in `*` is a text: it is served as a label of its own name, with the value 1. */
  readonly attributes: Readonly<Record<string, string>>;
}

const startups = (what: string) => ({
  [`${what}-startup-attempts-total`]: `Starts of ${what}s on this worker.`,
  [`${what}-startup-success-total`]: `Starts of ${what}s that succeeded.`,
  [`${what}-startup-success-percentage`]: `Share of them, 0 to 1.`,
  [`${what}-startup-failure-total`]: `Starts of ${what}s that failed.`,
  [`${what}-startup-failure-percentage`]: `Share of them, 0 to 1.`,
});

const plugin = (kind: string, what: string) => ({
  [`${kind}-class*`]: `Class of ${what}.`,
  [`${kind}-version*`]: `Version of ${what}.`,
});

const request = (kind: string) => ({
  [`${kind}-rate`]: `${kind} requests to the group's coordinator per second.`,
  [`${kind}-total`]: `${kind} requests to the group's coordinator.`,
});

const TASK = ["connector", "task"];

const GROUPS = {
  connector: {
    bean: "connector-metrics",
    prefix: "kafka_connect_connector",
    labels: ["connector"],
    attributes: {
      "status*": "State of the connector instance: running, paused, failed, unassigned or restarting.",
      "connector-type*": "source or sink.",
      ...plugin("connector", "the connector"),
    },
  },
  task: {
    bean: "connector-task-metrics",
    prefix: "kafka_connect_connector_task",
    labels: TASK,
    attributes: {
      "status*": "State of the task: running, paused, failed, unassigned or restarting.",
      "connector-type*": "source or sink.",
      ...plugin("connector", "the connector"),
      ...plugin("task", "the task"),
      ...plugin("key-converter", "the key converter"),
      ...plugin("value-converter", "the value converter"),
      ...plugin("header-converter", "the header converter"),
      "running-ratio": "Share of its time that the task was running.",
      "pause-ratio": "Share of its time that the task was paused.",
      "batch-size-max": "Largest batch lately, records.",
      "batch-size-avg": "Mean batch lately, records.",
      "offset-commit-max-time-ms": "Longest offset commit lately.",
      "offset-commit-avg-time-ms": "Mean offset commit lately.",
      "offset-commit-success-percentage": "Share of the recent offset commits that succeeded, 0 to 1.",
      "offset-commit-failure-percentage": "Share of the recent offset commits that failed, 0 to 1.",
    },
  },
  source: {
    bean: "source-task-metrics",
    prefix: "kafka_connect_source_task",
    labels: TASK,
    attributes: {
      "source-record-poll-rate": "Records polled per second, before transforms.",
      "source-record-poll-total": "Records polled, before transforms.",
      "source-record-write-rate": "Records written to Kafka per second.",
      "source-record-write-total": "Records written to Kafka.",
      "poll-batch-max-time-ms": "Longest poll lately.",
      "poll-batch-avg-time-ms": "Mean poll lately.",
      "source-record-active-count": "Records polled and not yet in Kafka.",
      "source-record-active-count-max": "Most of them lately.",
      "source-record-active-count-avg": "Mean of them lately.",
      "transaction-size-min": "Smallest transaction lately, records; exactly-once only.",
      "transaction-size-max": "Largest transaction lately, records; exactly-once only.",
      "transaction-size-avg": "Mean transaction lately, records; exactly-once only.",
    },
  },
  sink: {
    bean: "sink-task-metrics",
    prefix: "kafka_connect_sink_task",
    labels: TASK,
    attributes: {
      "sink-record-read-rate": "Records read from Kafka per second, before transforms.",
      "sink-record-read-total": "Records read from Kafka, before transforms.",
      "sink-record-send-rate": "Records put into the sink per second.",
      "sink-record-send-total": "Records put into the sink.",
      "sink-record-active-count": "Records read and not yet taken by the sink.",
      "sink-record-active-count-max": "Most of them lately.",
      "sink-record-active-count-avg": "Mean of them lately.",
      "partition-count": "Partitions assigned to the task.",
      "offset-commit-seq-no": "Number of the last offset commit.",
      "offset-commit-completion-rate": "Offset commits completed per second.",
      "offset-commit-completion-total": "Offset commits completed.",
      "offset-commit-skip-rate": "Answers to offset commits that came too late to count, per second.",
      "offset-commit-skip-total": "Answers to offset commits that came too late to count.",
      "put-batch-max-time-ms": "Longest put lately; empty ones do not count.",
      "put-batch-avg-time-ms": "Mean put lately; empty ones do not count.",
    },
  },
  error: {
    bean: "task-error-metrics",
    prefix: "kafka_connect_task_error",
    labels: TASK,
    attributes: {
      "total-record-failures": "Operations on records that failed, retries included.",
      "total-record-errors": "Records that failed for good.",
      "total-records-skipped": "Records skipped by errors.tolerance.",
      "total-retries": "Operations tried again.",
      "total-errors-logged": "Errors written to the log by errors.log.enable.",
      "deadletterqueue-produce-requests": "Records sent to the dead letter queue.",
      "deadletterqueue-produce-failures": "Records that Kafka refused for the dead letter queue.",
      "last-error-timestamp": "When a record last failed, ms since the epoch; 0: never.",
    },
  },
  transform: {
    bean: "connector-transform-metrics",
    prefix: "kafka_connect_connector_transform",
    labels: [...TASK, "transform"],
    attributes: plugin("transform", "the transform"),
  },
  predicate: {
    bean: "connector-predicate-metrics",
    prefix: "kafka_connect_connector_predicate",
    labels: [...TASK, "predicate"],
    attributes: plugin("predicate", "the predicate"),
  },
  worker: {
    bean: "connect-worker-metrics",
    prefix: "kafka_connect_worker",
    labels: [],
    attributes: {
      "connector-count": "Connector instances on this worker.",
      "task-count": "Tasks on this worker.",
      ...startups("connector"),
      ...startups("task"),
    },
  },
  workerConnector: {
    bean: "connect-worker-metrics",
    prefix: "kafka_connect_worker",
    labels: ["connector"],
    attributes: {
      "connector-total-task-count": "Tasks of the connector on this worker.",
      "connector-running-task-count": "Running tasks of the connector on this worker.",
      "connector-paused-task-count": "Paused tasks of the connector on this worker.",
      "connector-failed-task-count": "Failed tasks of the connector on this worker.",
      "connector-unassigned-task-count": "Tasks of the connector that are being started or stopped on this worker.",
      "connector-destroyed-task-count": "Always 0: tasks that are gone are not counted.",
      "connector-restarting-task-count": "Tasks of the connector that wait for their next start on this worker.",
    },
  },
  rebalance: {
    bean: "connect-worker-rebalance-metrics",
    prefix: "kafka_connect_worker_rebalance",
    labels: [],
    attributes: {
      "connect-protocol*": "Group protocol in force.",
      "leader-name*": "URL of the group's leader.",
      epoch: "Generation of the group.",
      "completed-rebalances-total": "Rebalances that this worker has completed.",
      rebalancing: "1 while a rebalance is on.",
      "rebalance-max-time-ms": "Longest rebalance lately.",
      "rebalance-avg-time-ms": "Mean rebalance lately.",
      "time-since-last-rebalance-ms": "Time since the last rebalance was completed.",
    },
  },
  coordinator: {
    bean: "connect-coordinator-metrics",
    prefix: "kafka_connect_coordinator",
    labels: ["clientid"],
    attributes: {
      "assigned-connectors": "Connector instances assigned to this worker.",
      "assigned-tasks": "Tasks assigned to this worker.",
      ...request("join"),
      "join-time-avg": "Mean time of a join lately, ms.",
      "join-time-max": "Longest join lately, ms.",
      ...request("sync"),
      "sync-time-avg": "Mean time of a sync lately, ms.",
      "sync-time-max": "Longest sync lately, ms.",
      ...request("heartbeat"),
      "heartbeat-response-time-max": "Longest answer to a heartbeat lately, ms.",
      "last-heartbeat-seconds-ago": "Time since the last heartbeat; -1: none yet.",
      "rebalance-rate-per-hour": "Successful rounds of the group per hour.",
      "rebalance-total": "Successful rounds of the group.",
      "rebalance-latency-avg": "Mean time from joining to the assignment lately, ms.",
      "rebalance-latency-max": "Longest time from joining to the assignment lately, ms.",
      "rebalance-latency-total": "Time spent from joining to the assignment, ms.",
      "failed-rebalance-rate-per-hour": "Failed joins and syncs per hour.",
      "failed-rebalance-total": "Failed joins and syncs.",
      "last-rebalance-seconds-ago": "Time since the last successful round; -1: none yet.",
    },
  },
  app: {
    bean: "app-info",
    prefix: "kafka_connect",
    labels: [],
    attributes: { start_time_seconds: "When the worker was started, seconds since the epoch." },
  },
  appInfo: {
    bean: "app-info",
    prefix: "kafka_connect",
    labels: ["version", "commit_id"],
    attributes: { app_info: "Version and commit of the worker, value 1." },
  },
  executors: {
    bean: null,
    prefix: "headrace",
    labels: [],
    attributes: {
      executors: "Executor processes of this worker.",
      "executors-lost-total":
        "Executor processes that ended although something ran in them: crashed, hung or too large.",
    },
  },
  executor: {
    bean: null,
    prefix: "headrace_executor",
    labels: ["pid"],
    attributes: {
      tasks: "Tasks in an executor.",
      connectors: "Connector instances in an executor.",
      "memory-bytes": "Resident memory of an executor, as it last told.",
    },
  },
} as const satisfies Record<string, Group>;

export type GroupName = keyof typeof GROUPS;

const BEAN_ATTRIBUTE: Readonly<Record<string, string>> = { start_time_seconds: "start-time-ms", app_info: "version" };

/** Metrics that authors of plugins add; their names are theirs, so only the pattern is declared. */
export const PLUGIN_METRIC_PREFIX = "kafka_connect_plugins_";

/** Name of an attribute in the exposition, by the usual jmx-exporter rules. */
export function metricName(group: GroupName, attribute: string): string {
  return `${GROUPS[group].prefix}_${attribute.replaceAll("-", "_")}`;
}

/** All of them, by name. */
export const FAMILIES: ReadonlyMap<string, Family> = new Map(
  Object.entries(GROUPS).flatMap(([, group]: [string, Group]) =>
    Object.entries(group.attributes).map(([key, help]) => {
      const isText = key.endsWith("*");
      const attribute = isText ? key.slice(0, -1) : key;
      const label = attribute.replaceAll("-", "_");
      const name = `${group.prefix}_${label}`;
      const family: Family = {
        name,
        type: name.endsWith("_total") ? "counter" : "gauge",
        labels: isText ? [...group.labels, label] : group.labels,
        help,
        bean: group.bean === null ? null : { type: group.bean, attribute: BEAN_ATTRIBUTE[attribute] ?? attribute },
      };
      return [name, family] as const;
    }),
  ),
);

/** The table of docs/metrics.md. */
export function metricsTable(): string {
  const rows = [...FAMILIES.values()].map(({ name, type, labels, help, bean }) => {
    const of = bean === null ? "Headrace's own" : `\`${bean.type}\`: \`${bean.attribute}\``;
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(" ")} | ${of} | ${help} |`;
  });
  return ["| Name | Type | Labels | MBean attribute | What it tells |", "|---|---|---|---|---|", ...rows].join("\n");
}
