import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TargetState } from "@headrace/contract";
import { type ReconcileInput, reconcileWork } from "#runtime/herder/reconcile-work.ts";
import type { ConnectorWork, Phase, Work } from "#runtime/herder/work.ts";
import type { ConnectorEntry } from "#runtime/store/stores.ts";

function entry(targetState: TargetState, tasks: number | null, taskGeneration = 1): ConnectorEntry {
  return {
    config: { name: "c" },
    targetState,
    tasks: tasks === null ? null : Array.from({ length: tasks }, (_, index) => ({ index: String(index) })),
    appliedConfig: { name: "c" },
    taskGeneration,
    inconsistent: false,
  };
}

function work(task: number | null, phase: Phase, more: Partial<Work> = {}): Work {
  return {
    connector: "c",
    task,
    run: 1,
    phase,
    taskGeneration: task === null ? 0 : 1,
    targetState: "STARTED",
    stale: false,
    notBeforeMs: 0,
    told: null,
    abort: new AbortController(),
    ...more,
  };
}

function holding(...parts: Work[]): ConnectorWork {
  const instance = parts.find((part) => part.task === null) ?? null;
  const tasks = new Map(parts.flatMap((part) => (part.task === null ? [] : [[part.task, part] as const])));
  return { instance, tasks, stoppedReported: false };
}

function decide(input: Partial<ReconcileInput>): string[] {
  const actions = reconcileWork({
    entry: entry("STARTED", 1),
    share: { instance: true, tasks: new Set([0]) },
    work: holding(),
    released: { instances: true, tasks: true },
    nowMs: 1_000,
    ...input,
  });
  return actions.map((action) => {
    switch (action.kind) {
      case "start":
        return `start ${action.task ?? "c"}`;
      case "stop":
        return `${action.again ? "restart" : "stop"} ${action.work.task ?? "c"}`;
      case "setTargetState":
        return `target ${action.targetState}`;
      case "reportStopped":
        return "report STOPPED";
      default:
        throw new Error(`unreachable: ${action satisfies never}`);
    }
  });
}

const TABLE: [fact: string, input: Partial<ReconcileInput>, actions: string[]][] = [
  ["starts what the round gave", {}, ["start c", "start 0"]],
  [
    "starts no instance before the config topic is read up to the round",
    { released: { instances: false, tasks: false } },
    [],
  ],
  [
    "starts no task before a round that knew its task set",
    { released: { instances: true, tasks: false } },
    ["start c"],
  ],
  ["starts no task of an inconsistent set", { entry: entry("STARTED", null) }, ["start c"]],
  ["starts no task beyond the set", { share: { instance: false, tasks: new Set([0, 1]) } }, ["start 0"]],
  ["leaves alone what runs", { work: holding(work(null, "running"), work(0, "running")) }, []],
  ["leaves alone what failed", { work: holding(work(null, "failed"), work(0, "failed")) }, []],
  ["leaves alone what starts", { work: holding(work(null, "starting"), work(0, "starting")) }, []],
  ["leaves alone what stops", { share: null, work: holding(work(null, "stopping"), work(0, "stopping")) }, []],
  [
    "stops what was revoked",
    { share: null, work: holding(work(null, "running"), work(0, "failed")) },
    ["stop c", "stop 0"],
  ],
  ["stops during the start", { share: null, work: holding(work(0, "starting")) }, ["stop 0"]],
  [
    "stops what was deleted",
    { entry: null, work: holding(work(null, "running"), work(0, "running")) },
    ["stop c", "stop 0"],
  ],
  [
    "stops tasks of a former set, to start them when a round has known the new one",
    {
      entry: entry("STARTED", 1, 2),
      released: { instances: true, tasks: false },
      work: holding(work(null, "running"), work(0, "running")),
    },
    ["stop 0"],
  ],
  [
    "restarts tasks of a former set if the round has known the new one",
    { entry: entry("STARTED", 1, 2), work: holding(work(null, "running"), work(0, "running")) },
    ["restart 0"],
  ],
  [
    "stops tasks that the new set does not have",
    { entry: entry("STARTED", 0, 2), work: holding(work(null, "running"), work(0, "running")) },
    ["stop 0"],
  ],
  [
    "restarts a stale instance",
    { work: holding(work(null, "failed", { stale: true }), work(0, "running")) },
    ["restart c"],
  ],
  [
    "restarts a stale task",
    { work: holding(work(null, "running"), work(0, "running", { stale: true })) },
    ["restart 0"],
  ],
  [
    "pauses what runs",
    { entry: entry("PAUSED", 1), work: holding(work(null, "running"), work(0, "running")) },
    ["target PAUSED"],
  ],
  [
    "does not pause what failed",
    { entry: entry("PAUSED", 1), work: holding(work(null, "failed"), work(0, "failed")) },
    [],
  ],
  [
    "does not pause again",
    { entry: entry("PAUSED", 0), work: holding(work(null, "running", { targetState: "PAUSED" })) },
    [],
  ],
  ["starts paused", { entry: entry("PAUSED", 1) }, ["start c", "start 0"]],
  [
    "stops everything of a stopped connector",
    { entry: entry("STOPPED", 0), work: holding(work(null, "failed"), work(0, "running")) },
    ["stop c", "stop 0"],
  ],
  ["reports STOPPED when nothing is left", { entry: entry("STOPPED", 0) }, ["report STOPPED"]],
  [
    "reports STOPPED once",
    { entry: entry("STOPPED", 0), work: { instance: null, tasks: new Map(), stoppedReported: true } },
    [],
  ],
  ["does not report STOPPED for another worker", { entry: entry("STOPPED", 0), share: null }, []],
  ["waits out the pause after a crash", { work: holding(work(null, "waiting", { notBeforeMs: 1_001 })) }, ["start 0"]],
  [
    "starts again after that pause",
    { work: holding(work(null, "waiting", { notBeforeMs: 1_000 }), work(0, "running")) },
    ["start c"],
  ],
  [
    "does not wait if a user restarts it",
    { work: holding(work(null, "waiting", { notBeforeMs: 9_999, stale: true }), work(0, "running")) },
    ["start c"],
  ],
  ["forgets what waited and was revoked", { share: null, work: holding(work(0, "waiting")) }, ["stop 0"]],
];

describe("reconcileWork", () => {
  for (const [fact, input, actions] of TABLE) it(fact, () => assert.deepEqual(decide(input), actions));

  it("starts a task with its configuration and generation", () => {
    const [, action] = reconcileWork({
      entry: entry("PAUSED", 1, 7),
      share: { instance: true, tasks: new Set([0]) },
      work: holding(),
      released: { instances: true, tasks: true },
      nowMs: 0,
    });
    assert.deepEqual(action, {
      kind: "start",
      task: 0,
      plan: {
        connectorConfig: { name: "c" },
        taskConfig: { index: "0" },
        targetState: "PAUSED",
        taskGeneration: 7,
        taskCount: 1,
      },
    });
  });
});
