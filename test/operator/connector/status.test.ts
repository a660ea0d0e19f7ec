import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectorSnapshot, InstanceState, TaskState } from "@headrace/contract";
import type { ObservedConnector } from "#operator/connector/observe.ts";
import type { Action } from "#operator/connector/plan.ts";
import { toConnectorStatus } from "#operator/connector/status.ts";
import { toWanted } from "#operator/connector/wanted.ts";
import type { KafkaConnector } from "#operator/kinds.ts";
import { kafkaConnector } from "#support/connect-objects.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

function task(id: number, state: InstanceState, trace?: string): TaskState {
  return { id, state, worker_id: "w", ...(trace === undefined ? {} : { trace }) };
}

interface Seen {
  readonly state?: KafkaConnector["spec"]["state"];
  readonly connector: InstanceState | null;
  readonly trace?: string;
  readonly tasks?: readonly TaskState[];
  readonly taskCount?: number | null;
}

function statusOf({ state = "running", connector, trace, tasks = [], taskCount = 2 }: Seen) {
  const resource = kafkaConnector({ state });
  const wanted = toWanted(resource);
  const own = { state: connector ?? "UNASSIGNED", worker_id: "w", ...(trace === undefined ? {} : { trace }) };
  const actual: ConnectorSnapshot = {
    config: wanted.config,
    targetState: wanted.target,
    taskCount,
    status: connector === null ? null : { name: "orders", type: "source", connector: own, tasks: [...tasks] },
    topics: ["b", "a"],
  };
  const worker = { cluster: { namespace: "ns", name: "my-connect" }, ip: "10.0.0.1" };
  const cluster = { kind: "live" as const, namespace: "ns", name: "my-connect", uid: "u", worker, actual, plugins: [] };
  const observed: ObservedConnector = {
    resource,
    cluster,
    owner: null,
    claim: { allowed: true, rival: null },
    paused: false,
    identity: {},
  };
  const action: Action = { kind: "watch", cluster };
  return toConnectorStatus({
    observed,
    wanted,
    action,
    result: { kind: "done", echo: null },
    refusal: null,
    settling: null,
    restarts: null,
    annotationProblems: [],
    operations: [],
    offsets: undefined,
    startFrom: undefined,
    configSources: undefined,
    nowMs: NOW,
  });
}

function readyOf(seen: Seen): string {
  const ready = statusOf(seen).conditions?.find(({ type }) => type === "Ready");
  return `${ready?.status} ${ready?.reason}: ${ready?.message}`;
}

describe("toConnectorStatus", () => {
  const both = [task(0, "RUNNING"), task(1, "RUNNING")];
  const table: readonly [string, Seen, string][] = [
    [
      "all are running",
      { connector: "RUNNING", tasks: both },
      "True Running: The connector and all 2 tasks are running.",
    ],
    [
      "a single task",
      { connector: "RUNNING", tasks: [task(0, "RUNNING")], taskCount: 1 },
      "True Running: The connector and its task are running.",
    ],
    [
      "no tasks are needed",
      { connector: "RUNNING", taskCount: 0 },
      "True Running: The connector is running; it has no tasks.",
    ],
    ["nobody has written a status", { connector: null }, "False Starting: The connector is starting."],
    [
      "the tasks are not planned yet",
      { connector: "RUNNING", taskCount: null },
      "False Starting: The connector is starting.",
    ],
    [
      "a task has not said anything",
      { connector: "RUNNING", tasks: [task(0, "RUNNING")] },
      "False Starting: 1 of 2 tasks are running.",
    ],
    [
      "a task moves",
      { connector: "RUNNING", tasks: [task(0, "RUNNING"), task(1, "UNASSIGNED")] },
      "False Starting: 1 of 2 tasks are running.",
    ],
    [
      "a task restarts",
      { connector: "RUNNING", tasks: [task(0, "RUNNING"), task(1, "RESTARTING")] },
      "False Starting: 1 of 2 tasks are running.",
    ],
    ["the connector moves", { connector: "UNASSIGNED", tasks: both }, "False Starting: The connector is starting."],
    [
      "a task failed",
      { connector: "RUNNING", tasks: [task(0, "RUNNING"), task(1, "FAILED", "no\n at x")] },
      "False TasksFailed: 1 of 2 tasks failed; task 1: no.",
    ],
    [
      "the connector failed",
      { connector: "FAILED", trace: "why?" },
      "False ConnectorFailed: The connector failed: why?",
    ],
    [
      "a failure without words",
      { connector: "FAILED" },
      "False ConnectorFailed: The connector failed: see connectorStatus.",
    ],
    [
      "a task from before a reduction failed",
      { connector: "RUNNING", tasks: [...both, task(2, "FAILED")] },
      "True Running: The connector and all 2 tasks are running.",
    ],
    [
      "it is paused",
      { state: "paused", connector: "PAUSED", tasks: [task(0, "PAUSED"), task(1, "PAUSED")] },
      "True Paused: The connector is paused, as wanted.",
    ],
    [
      "it was made paused",
      { state: "paused", connector: "PAUSED", taskCount: null },
      "True Paused: The connector is paused, as wanted.",
    ],
    [
      "a task is not paused yet",
      { state: "paused", connector: "PAUSED", tasks: [task(0, "PAUSED"), task(1, "RUNNING")] },
      "False Pausing: The connector is pausing.",
    ],
    [
      "it failed and cannot pause",
      { state: "paused", connector: "FAILED", trace: "no" },
      "False ConnectorFailed: The connector failed: no.",
    ],
    [
      "it is stopped",
      { state: "stopped", connector: "STOPPED", taskCount: 0 },
      "True Stopped: The connector is stopped, as wanted.",
    ],
    [
      "it is stopped, and states of its tasks are left over",
      { state: "stopped", connector: "STOPPED", taskCount: 0, tasks: [task(0, "UNASSIGNED"), task(1, "FAILED")] },
      "True Stopped: The connector is stopped, as wanted.",
    ],
    [
      "a task has not stopped yet",
      { state: "stopped", connector: "STOPPED", taskCount: 0, tasks: [task(0, "RUNNING")] },
      "False Stopping: The connector is stopping.",
    ],
  ];
  for (const [what, seen, ready] of table) {
    it(`says ${ready.split(":")[0]} when ${what}`, () => assert.equal(readyOf(seen), ready));
  }

  it("shows expected tasks only, traces cut, topics in order", () => {
    const tasks = [task(0, "FAILED", "x".repeat(5_000)), task(1, "RUNNING"), task(7, "RUNNING")];
    const { connectorStatus, topics, tasks: counted } = statusOf({ connector: "RUNNING", tasks });
    assert.deepEqual(
      connectorStatus?.tasks.map(({ id }) => id),
      [0, 1],
    );
    assert.equal(connectorStatus?.tasks[0]?.trace?.length, 1_025);
    assert.deepEqual(topics, ["a", "b"]);
    assert.equal(counted, "1/2");
  });
});
