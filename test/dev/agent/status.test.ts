import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ContainerState, PodCondition, PodPhase, RestartPolicy } from "#dev/agent/pod.ts";
import {
  type ContainerRecord,
  createContainerRecord,
  type PodRecord,
  phaseOf,
  toPodStatus,
} from "#dev/agent/status.ts";
import { addresses, podOf } from "./pods.ts";

const at = "2026-01-01T00:00:00Z";
const waiting = createContainerRecord("ContainerCreating");
const running: ContainerRecord = {
  ...waiting,
  runs: 1,
  state: { running: { startedAt: at } },
  started: true,
  ready: true,
};
const ended = (exitCode: number): ContainerRecord => ({
  ...waiting,
  runs: 1,
  state: { terminated: { exitCode, reason: exitCode === 0 ? "Completed" : "Error", startedAt: at, finishedAt: at } },
});
const backingOff: ContainerRecord = {
  ...waiting,
  runs: 3,
  state: { waiting: { reason: "CrashLoopBackOff" } },
  lastTerminated: { exitCode: 1, reason: "Error", startedAt: at, finishedAt: at },
};

const recordOf = (containers: Readonly<Record<string, ContainerRecord>>): PodRecord => ({
  namespace: "shop",
  name: "web-0",
  addresses,
  startTime: at,
  containers,
});

describe("phaseOf", () => {
  const table: readonly (readonly [RestartPolicy, readonly ContainerRecord[], boolean, PodPhase])[] = [
    ["Always", [waiting], false, "Pending"],
    ["Always", [running, waiting], false, "Pending"],
    ["Always", [running], false, "Running"],
    ["Always", [backingOff], false, "Running"],
    ["Always", [ended(1)], false, "Running"],
    ["Always", [ended(0)], true, "Succeeded"],
    ["Always", [ended(143)], true, "Failed"],
    ["OnFailure", [ended(0), running], false, "Running"],
    ["OnFailure", [ended(1)], false, "Running"],
    ["OnFailure", [ended(0)], false, "Succeeded"],
    ["Never", [ended(0), ended(0)], false, "Succeeded"],
    ["Never", [ended(0), ended(2)], false, "Failed"],
  ];
  for (const [restartPolicy, records, over, expected] of table) {
    const states = records.map(({ state }) => Object.keys(state)[0]).join(" and ");
    it(`is ${expected} with ${states}, policy ${restartPolicy}${over ? ", at the end" : ""}`, () => {
      const containers = records.map((_, index) => ({ name: `c${index}`, image: "web" }));
      const pod = podOf({ restartPolicy, containers });
      const record = recordOf(Object.fromEntries(records.map((each, index) => [`c${index}`, each])));
      assert.equal(phaseOf(pod, record, over), expected);
    });
  }

  it("is Pending until the init containers have succeeded, Failed if one cannot", () => {
    const pod = podOf({ restartPolicy: "Never", initContainers: [{ name: "init", image: "web" }] });
    assert.equal(phaseOf(pod, recordOf({ init: running, web: waiting }), false), "Pending");
    assert.equal(phaseOf(pod, recordOf({ init: ended(0), web: running }), false), "Running");
    assert.equal(phaseOf(pod, recordOf({ init: ended(1), web: waiting }), false), "Failed");
  });
});

interface Status {
  readonly phase: PodPhase;
  readonly conditions: readonly PodCondition[];
  readonly containerStatuses: readonly {
    readonly state: ContainerState;
    readonly lastState: ContainerState;
    readonly restartCount: number;
    readonly ready: boolean;
  }[];
}

describe("toPodStatus", () => {
  const now = new Date("2026-01-01T00:01:00.500Z");
  const statusOf = (record: ContainerRecord, previous: Status["conditions"] = []) =>
    toPodStatus(podOf(), recordOf({ web: record }), { over: false, previous, now }) as Status;
  const summary = ({ conditions }: Status) =>
    Object.fromEntries(conditions.map(({ type, status, reason }) => [type, reason ?? status]));

  it("is Ready when all containers are", () => {
    assert.deepEqual(summary(statusOf(running)), {
      PodReadyToStartContainers: "True",
      Initialized: "True",
      Ready: "True",
      ContainersReady: "True",
      PodScheduled: "True",
    });
  });

  it("names unready containers", () => {
    const { conditions } = statusOf({ ...running, ready: false });
    const ready = conditions.find(({ type }) => type === "Ready");
    assert.deepEqual(
      { ...ready, lastTransitionTime: "" },
      {
        type: "Ready",
        status: "False",
        reason: "ContainersNotReady",
        message: "containers with unready status: [web]",
        lastProbeTime: null,
        lastTransitionTime: "",
      },
    );
  });

  it("keeps the transition time of a condition that did not change", () => {
    const first = statusOf(running).conditions.map((each) => ({ ...each, lastTransitionTime: at }));
    const times = (status: Status) =>
      new Map(status.conditions.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]));
    const later = times(statusOf({ ...running, ready: false }, first));
    assert.equal(later.get("Ready"), "2026-01-01T00:01:00Z");
    assert.equal(later.get("Initialized"), at);
  });

  it("shows the last end and counts restarts while a container waits", () => {
    const [container] = statusOf(backingOff).containerStatuses;
    assert.equal(container?.restartCount, 2);
    assert.equal(container?.lastState.terminated?.exitCode, 1);
    assert.equal(container?.state.waiting?.reason, "CrashLoopBackOff");
  });
});
