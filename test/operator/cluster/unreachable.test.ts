import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupInfo } from "@headrace/contract";
import { lostPods, UNKNOWN_MS, UNREACHABLE_MS } from "#operator/cluster/unreachable.ts";
import { toWorkerPod, type WorkerPod } from "#operator/cluster/worker-pod.ts";
import { workerPod } from "#support/connect-objects.ts";

const NOW = 1_000_000;

function group(...ips: readonly string[]): GroupInfo {
  const members = ips.map((ip) => ({
    memberId: ip,
    url: `http://${ip}:8083/`,
    draining: false,
    assignment: { connectors: [], tasks: [] },
  }));
  return { generation: 1, leaderUrl: null, rebalancing: false, balanced: true, delayMs: 0, members };
}

describe("lostPods", () => {
  const overdue = { terminating: true, goneByMs: NOW - UNREACHABLE_MS };
  const table: readonly [string, Partial<WorkerPod>, GroupInfo | null, boolean][] = [
    ["a pod that the group has dropped", overdue, group("10.0.0.2"), true],
    ["a pod that is a member still", overdue, group("10.0.0.1"), false],
    ["a pod that has time left", { ...overdue, goneByMs: NOW - UNREACHABLE_MS + 1 }, group(), false],
    ["a pod that nobody deleted", { ready: false }, group(), false],
    ["a pod while nobody tells about the group", overdue, null, false],
    ["a pod while nobody tells for long", { ...overdue, goneByMs: NOW - UNKNOWN_MS }, null, true],
  ];
  for (const [what, traits, seen, lost] of table) {
    it(`${lost ? "takes" : "leaves"} ${what}`, () => {
      const pod = { ...toWorkerPod(workerPod(0), "my-connect-connect"), ...traits };
      assert.equal(lostPods([pod], seen, NOW).length, lost ? 1 : 0);
    });
  }
});
