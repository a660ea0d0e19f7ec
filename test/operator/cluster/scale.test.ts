import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupInfo } from "@headrace/contract";
import { planScale } from "#operator/cluster/scale.ts";
import { toWorkerPod, type WorkerPod } from "#operator/cluster/worker-pod.ts";
import { workerPod } from "#support/connect-objects.ts";

const NOW = 1_000_000;

function pods(...traits: readonly Partial<WorkerPod>[]): readonly WorkerPod[] {
  return traits.map((trait, ordinal) => ({ ...toWorkerPod(workerPod(ordinal), "my-connect-connect"), ...trait }));
}

function group(...draining: readonly number[]): GroupInfo {
  const member = (ordinal: number, idle: boolean) => ({
    memberId: `m-${ordinal}`,
    url: `http://10.0.0.${ordinal + 1}:8083/`,
    draining: true,
    assignment: { connectors: idle ? [] : ["a"], tasks: [] },
  });
  const members = draining.map((ordinal) => member(ordinal, false));
  return { generation: 1, leaderUrl: null, rebalancing: false, balanced: false, delayMs: 0, members };
}

const DRAINING = { drainingSinceMs: NOW - 1_000 };

describe("planScale", () => {
  const table: readonly [
    string,
    readonly WorkerPod[],
    number | null,
    number,
    GroupInfo | null,
    number,
    readonly number[],
  ][] = [
    ["makes all at the beginning", [], null, 3, null, 3, []],
    ["scales up at once", pods({}), 1, 3, null, 3, []],
    ["drains all that are too many, the highest first", pods({}, {}, {}, {}), 4, 2, null, 4, [3, 2]],
    ["waits for the slower one", pods({}, {}, DRAINING, DRAINING), 4, 2, group(3), 4, []],
    ["takes them away when their work is elsewhere", pods({}, {}, DRAINING, DRAINING), 4, 2, group(), 2, []],
    ["takes pods away at once that are not ready", pods({}, {}, { ready: false }), 3, 2, null, 2, []],
    ["scales to zero at once", pods({}, {}), 2, 0, null, 0, []],
    ["does not drain when nobody is left to take the work", pods({ ready: false }, {}), 2, 1, null, 1, []],
  ];
  for (const [what, present, current, wanted, seen, replicas, drained] of table) {
    it(what, () => {
      const decision = planScale({ pods: present, current, wanted, group: seen, drains: true, nowMs: NOW });
      assert.equal(decision.replicas, replicas);
      assert.deepEqual(
        decision.drain.map(({ ordinal }) => ordinal),
        drained,
      );
    });
  }

  it("takes workers away at once that do not drain on demand", () => {
    const inputs = { pods: pods({}, {}, {}), current: 3, wanted: 1, group: group(), drains: false, nowMs: NOW };
    assert.deepEqual(planScale(inputs), { replicas: 1, drain: [] });
  });
});
