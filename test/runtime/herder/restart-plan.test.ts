import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectorStateInfo, InstanceState } from "@headrace/contract";
import { planRestart, stronger, toRestarting } from "#runtime/herder/restart-plan.ts";

const state = (connector: InstanceState, ...tasks: InstanceState[]): ConnectorStateInfo => ({
  name: "c",
  type: "sink",
  connector: { state: connector, worker_id: "w", trace: "why" },
  tasks: tasks.map((task, id) => ({ id, state: task, worker_id: "w" })),
});

describe("planRestart", () => {
  for (const [fact, present, includeTasks, onlyFailed, instance, tasks] of [
    ["the instance alone, whatever its state", state("RUNNING", "FAILED"), false, false, true, []],
    ["everything", state("RUNNING", "FAILED", "RUNNING"), true, false, true, [0, 1]],
    ["a failed instance", state("FAILED", "FAILED"), false, true, true, []],
    ["no instance that runs", state("RUNNING", "FAILED"), false, true, false, []],
    ["what has failed", state("RUNNING", "FAILED", "RUNNING", "PAUSED", "FAILED"), true, true, false, [0, 3]],
    ["a failed instance without tasks", state("FAILED"), true, true, true, []],
    ["nothing of what is healthy", state("PAUSED", "RUNNING", "UNASSIGNED"), true, true, false, []],
  ] as const) {
    it(`restarts ${fact}`, () => {
      assert.deepEqual(planRestart(present, { includeTasks, onlyFailed }), { instance, tasks: new Set(tasks) });
    });
  }
});

it("the answer has the plan in it, traces kept", () => {
  const answer = toRestarting(state("FAILED", "RUNNING", "FAILED"), { instance: true, tasks: new Set([1]) });
  assert.deepEqual(answer, {
    ...state("RESTARTING", "RUNNING", "RESTARTING"),
    connector: { state: "RESTARTING", worker_id: "w", trace: "why" },
  });
});

it("the stronger of two requests counts, in KIP-745's order", () => {
  const order = [
    { onlyFailed: true, includeTasks: false },
    { onlyFailed: true, includeTasks: true },
    { onlyFailed: false, includeTasks: false },
    { onlyFailed: false, includeTasks: true },
  ];
  for (const [weak, left] of order.entries()) {
    for (const [strong, right] of order.entries()) {
      const wanted = order[Math.max(weak, strong)];
      assert.deepEqual(stronger(left, right), wanted);
    }
  }
});
