import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { TaskMetrics } from "#runtime/executor/channel.ts";
import type { GroupView } from "#runtime/group/group.ts";
import { createStartCounters } from "#runtime/herder/start-counters.ts";
import type { Work } from "#runtime/herder/work.ts";
import { FAMILIES, metricsTable } from "#runtime/metrics/families.ts";
import { createGroupMetrics } from "#runtime/metrics/group-metrics.ts";
import { Metrics, type MetricsSource } from "#runtime/metrics/metrics.ts";
import { createTaskBook } from "#runtime/metrics/task-book.ts";
import { DEFAULT_METRIC_SETTINGS } from "#runtime/task/metric-window.ts";
import { createPluginMetrics } from "#runtime/task/plugin-metrics.ts";
import { createSourceMetrics } from "#runtime/task/source-metrics.ts";
import { setUpSink } from "#support/sink-run.ts";

const VIEW: GroupView = {
  memberId: "m",
  generation: 7,
  leaderId: "m",
  leaderUrl: "http://127.0.0.1:8083/",
  isLeader: true,
  protocolVersion: 2,
  rebalancing: false,
  delayMs: 0,
  members: [
    {
      memberId: "m",
      url: "http://127.0.0.1:8083/",
      draining: false,
      assignment: { connectors: ["c"], tasks: [{ connector: "c", task: 0 }] },
    },
  ],
  balanced: true,
};

function work(connector: string, task: number | null, phase: Work["phase"]): Work {
  const rest = { run: 1, taskGeneration: 1, stale: false, abort: new AbortController(), notBeforeMs: 0, told: null };
  return { connector, task, phase, targetState: "STARTED", ...rest };
}

function counters(key: TaskMetrics["key"], type: TaskMetrics["type"], values: TaskMetrics["values"]): TaskMetrics {
  const { metrics, values: own } = createPluginMetrics();
  metrics.counter("pages-read", "Pages read.").add(3);
  const plugin = { alias: "t", class: "x.T", version: "1" };
  const attributes: Record<string, string> = { "connector-type": type };
  for (const part of ["connector", "task", "key-converter", "value-converter", "header-converter"]) {
    attributes[`${part}-class`] = `x.${part}`;
    attributes[`${part}-version`] = "1";
  }
  return { key, type, values, classes: { attributes, transforms: [plugin], predicates: [plugin] }, own: own() };
}

function setUp() {
  const clock = { ms: 0 };
  const tasks = createTaskBook(() => clock.ms);
  const source = createSourceMetrics(DEFAULT_METRIC_SETTINGS, true);
  tasks.hear({
    kind: "metrics",
    metrics: [
      counters({ connector: "c", task: 0 }, "sink", setUpSink().body.metrics()),
      counters({ connector: "s", task: 0 }, "source", source.values()),
    ],
  });
  const running = [
    work("c", null, "running"),
    work("c", 0, "failed"),
    work("s", null, "running"),
    work("s", 0, "running"),
  ];
  const state: MetricsSource = {
    workerId: "127.0.0.1:8083",
    clientId: "connect-127.0.0.1:8083",
    version: "1.0.0",
    commit: "abc",
    startedAtMs: 5_000,
    view: () => VIEW,
    running: () => running,
    starts: createStartCounters(),
    tasks,
    group: createGroupMetrics(DEFAULT_METRIC_SETTINGS),
    plugin: () => ({ type: "sink", class: "x.C", version: "2" }),
    executors: () => [{ pid: 9, connectors: 1, tasks: 2, memoryBytes: 1 }],
    lostExecutors: () => 0,
  };
  const status = (state: "RUNNING" | "PAUSED" | "FAILED") =>
    tasks.hear({ kind: "status", connector: "c", task: 0, state, trace: null, version: null });
  return { clock, metrics: new Metrics(state), status };
}

describe("metrics", () => {
  it("are served as they are declared: all of them, with their labels, and no others", async () => {
    const { metrics } = setUp();
    const text = await metrics.text();
    const served = new Map<string, Set<string>>();
    for (const line of text.split("\n")) {
      const [, name, labels = ""] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
      if (name === undefined || /^(process|nodejs)_/.test(name)) continue;
      const names = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label);
      served.set(name, new Set([...(served.get(name) ?? []), names.sort().join(",")]));
    }
    assert.ok(served.delete("kafka_connect_plugins_pages_read"));
    const wanted = new Map([...FAMILIES].map(([name, { labels }]) => [name, new Set([labels.toSorted().join(",")])]));
    assert.deepEqual(new Map([...served].sort()), new Map([...wanted].sort()));
  });

  it("keep the numbers of a failed task, with status=failed", async () => {
    const { metrics } = setUp();
    const text = await metrics.text();
    assert.match(text, /^kafka_connect_connector_task_status\{connector="c",task="0",status="failed"\} 1$/m);
    assert.match(text, /^kafka_connect_sink_task_sink_record_read_total\{connector="c",task="0"\} 0$/m);
    assert.match(text, /^kafka_connect_worker_connector_failed_task_count\{connector="c"\} 1$/m);
    assert.match(text, /^# TYPE kafka_connect_plugins_pages_read counter$/m);
    assert.match(text, /^kafka_connect_plugins_pages_read\{connector="c",task="0"\} 3$/m);
  });

  it("tell for how much of its time a task ran and was paused", async () => {
    const { clock, metrics, status } = setUp();
    status("RUNNING");
    clock.ms = 75;
    status("PAUSED");
    clock.ms = 100;
    const text = await metrics.text();
    assert.match(text, /^kafka_connect_connector_task_running_ratio\{connector="c",task="0"\} 0.75$/m);
    assert.match(text, /^kafka_connect_connector_task_pause_ratio\{connector="c",task="0"\} 0.25$/m);
  });

  it("stand in docs/metrics.md as they are declared", () => {
    const page = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
    assert.ok(
      page.includes(metricsTable()),
      "docs/metrics.md is stale: run node --conditions=source dev/metrics-table.ts",
    );
  });
});

describe("metrics of plugins", () => {
  it("refuse names that cannot be served and names used twice", () => {
    const { metrics } = createPluginMetrics();
    assert.throws(() => metrics.counter("Rows", ""), /cannot be named Rows/);
    metrics.counter("rows", "");
    assert.throws(() => metrics.gauge("rows", "", () => 1), /registered twice/);
  });

  it("read a gauge that throws as NaN", () => {
    const { metrics, values } = createPluginMetrics();
    metrics.gauge("lag", "Lag.", () => {
      throw new Error("gone");
    });
    assert.deepEqual(values(), [{ name: "lag", help: "Lag.", type: "gauge", value: Number.NaN }]);
  });
});
