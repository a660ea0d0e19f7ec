import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupInfo } from "@headrace/contract";
import { DRAIN_LIMIT_MS } from "#operator/cluster/handover.ts";
import {
  BALANCE_LIMIT_MS,
  NO_WAITS,
  planRoll,
  type RollInputs,
  START_LIMIT_MS,
  waitsAfter,
} from "#operator/cluster/roll.ts";
import type { WorkerPod } from "#operator/cluster/worker-pod.ts";

const NOW = 1_000_000;

function pod(ordinal: number, traits: Partial<WorkerPod> = {}): WorkerPod {
  return {
    name: `c-connect-${ordinal}`,
    uid: `uid-${ordinal}`,
    ordinal,
    ip: `10.0.0.${ordinal}`,
    ready: true,
    unreadySinceMs: null,
    terminating: false,
    goneByMs: null,
    revision: "old",
    certificates: null,
    drainingSinceMs: null,
    rollRequested: false,
    trouble: null,
    ended: null,
    ...traits,
  };
}

interface MemberTraits {
  readonly draining?: boolean;
  readonly idle?: boolean;
}

function group(members: Readonly<Record<number, MemberTraits>>, traits: Partial<GroupInfo> = {}): GroupInfo {
  return {
    generation: 1,
    leaderUrl: "http://10.0.0.0:8083/",
    rebalancing: false,
    balanced: true,
    delayMs: 0,
    members: Object.entries(members).map(([ordinal, { draining = false, idle = false }]) => ({
      memberId: `m-${ordinal}`,
      url: `http://10.0.0.${ordinal}:8083/`,
      draining,
      assignment: { connectors: [], tasks: idle ? [] : [{ connector: "a", task: 0 }] },
    })),
    ...traits,
  };
}

const ALL = group({ 0: {}, 1: {}, 2: {} });
const NEW = { revision: "new" };

function step(pods: readonly WorkerPod[], traits: Partial<RollInputs> = {}): string {
  const inputs = {
    pods,
    revision: "new",
    replicas: 3,
    group: ALL,
    starting: 0,
    drains: true,
    ...NO_WAITS,
    nowMs: NOW,
    ...traits,
  };
  const action = planRoll(inputs);
  return "pod" in action ? `${action.kind} ${action.pod.ordinal}` : action.kind;
}

describe("planRoll", () => {
  const draining = { drainingSinceMs: NOW - 1_000 };
  const table: readonly [string, readonly WorkerPod[], Partial<RollInputs>, string][] = [
    ["does nothing when all have the revision", [pod(0, NEW), pod(1, NEW), pod(2, NEW)], {}, "none"],
    [
      "leaves current pods alone that are not ready",
      [pod(0, { ...NEW, ready: false }), pod(1, NEW), pod(2, NEW)],
      {},
      "none",
    ],
    ["begins with a pod that does not lead", [pod(0), pod(1), pod(2)], {}, "drain 1"],
    ["takes the leader last", [pod(0), pod(1, NEW), pod(2, NEW)], {}, "drain 0"],
    ["takes an outdated pod first that is not ready", [pod(0), pod(1), pod(2, { ready: false })], {}, "delete 2"],
    [
      "waits for a pod that is stopping",
      [pod(0, { terminating: true, ready: false }), pod(1), pod(2)],
      {},
      "await-pods",
    ],
    ["waits for a pod that is being made", [pod(1), pod(2)], {}, "await-pods"],
    [
      "stops at a new pod that does not become ready",
      [pod(0), pod(1, { ...NEW, ready: false }), pod(2)],
      {},
      "await-pods",
    ],
    [
      "one at a time, also among those that are not ready",
      [pod(0, { ready: false }), pod(1, { ...NEW, ready: false }), pod(2, { ready: false })],
      {},
      "await-pods",
    ],
    [
      "waits until the group is balanced",
      [pod(0), pod(1), pod(2)],
      { group: group({ 0: {}, 1: {}, 2: {} }, { balanced: false }) },
      "await-balance",
    ],
    [
      "waits while the group rebalances",
      [pod(0), pod(1), pod(2)],
      { group: group({ 0: {}, 1: {}, 2: {} }, { rebalancing: true }) },
      "await-balance",
    ],
    [
      "waits until the new pod has joined the group",
      [pod(0), pod(1, NEW), pod(2)],
      { group: group({ 0: {}, 2: {} }) },
      "await-balance",
    ],
    ["waits while nobody tells about the group", [pod(0), pod(1), pod(2)], { group: null }, "await-balance"],
    [
      "goes on when the group never comes to rest",
      [pod(0), pod(1), pod(2)],
      { group: null, balanceAwaitedSinceMs: NOW - BALANCE_LIMIT_MS },
      "drain 0",
    ],
    [
      "waits until what has moved runs",
      [pod(0, NEW), pod(1), pod(2)],
      { starting: 2, balanceAwaitedSinceMs: NOW - START_LIMIT_MS, startAwaitedSinceMs: NOW - START_LIMIT_MS + 1 },
      "await-start",
    ],
    [
      "waits for what has moved however long it took to share it out",
      [pod(0, NEW), pod(1), pod(2)],
      { starting: 2, balanceAwaitedSinceMs: NOW - START_LIMIT_MS },
      "await-start",
    ],
    [
      "goes on when something never starts",
      [pod(0, NEW), pod(1), pod(2)],
      { starting: 1, startAwaitedSinceMs: NOW - START_LIMIT_MS },
      "drain 1",
    ],
    [
      "goes on with a pod that gives its work away already, whatever starts elsewhere",
      [pod(0, NEW), pod(1, draining), pod(2)],
      { starting: 1, group: group({ 0: {}, 1: { draining: true, idle: true }, 2: {} }) },
      "delete 1",
    ],
    [
      "waits while a pod gives its work away",
      [pod(0), pod(1, draining), pod(2)],
      { group: group({ 0: {}, 1: { draining: true }, 2: {} }) },
      "await-handover 1",
    ],
    ["asks again when the worker forgot", [pod(0), pod(1, draining), pod(2)], {}, "drain 1"],
    [
      "deletes a pod that has no work left",
      [pod(0), pod(1, draining), pod(2)],
      { group: group({ 0: {}, 1: { draining: true, idle: true }, 2: {} }) },
      "delete 1",
    ],
    [
      "deletes a pod that has left the group",
      [pod(0), pod(1, draining), pod(2)],
      { group: group({ 0: {}, 2: {} }) },
      "delete 1",
    ],
    [
      "deletes a pod that takes too long",
      [pod(0), pod(1, { drainingSinceMs: NOW - DRAIN_LIMIT_MS }), pod(2)],
      { group: group({ 0: {}, 1: { draining: true }, 2: {} }) },
      "delete 1",
    ],
    [
      "finishes with a drained pod that is current again",
      [pod(0, NEW), pod(1, { ...NEW, ...draining }), pod(2, NEW)],
      { group: group({ 0: {}, 2: {} }) },
      "delete 1",
    ],
    ["does not ask workers that do not drain on demand", [pod(0), pod(1), pod(2)], { drains: false }, "delete 1"],
    ["replaces nothing without a revision", [pod(0), pod(1), pod(2, { ready: false })], { revision: null }, "none"],
    [
      "finishes with a drained pod without a revision",
      [pod(0), pod(1, draining), pod(2)],
      { revision: null, group: group({ 0: {}, 2: {} }) },
      "delete 1",
    ],
    ["does not drain the only worker", [pod(0)], { replicas: 1, group: null }, "delete 0"],
    ["passes over pods that are to go anyway", [pod(0, NEW), pod(1, NEW), pod(2)], { replicas: 2 }, "none"],
  ];
  for (const [what, pods, traits, wanted] of table) {
    it(what, () => assert.equal(step(pods, traits), wanted));
  }
});

describe("waitsAfter", () => {
  const balance = { kind: "await-balance", message: "" } as const;
  const start = { kind: "await-start", message: "" } as const;

  it("begins to wait for what starts when the group is balanced, and not anew when it shares its work out once more", () => {
    const sharing = waitsAfter(balance, NO_WAITS, 1);
    assert.deepEqual(sharing, { balanceAwaitedSinceMs: 1, startAwaitedSinceMs: null });
    const starting = waitsAfter(start, sharing, 2);
    assert.deepEqual(starting, { balanceAwaitedSinceMs: 1, startAwaitedSinceMs: 2 });
    assert.deepEqual(waitsAfter(start, waitsAfter(balance, starting, 3), 4), starting);
    assert.deepEqual(waitsAfter({ kind: "none" }, starting, 5), NO_WAITS);
  });
});
