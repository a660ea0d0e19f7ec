import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ExpandedConnectors, InstanceState } from "@headrace/contract";
import { snapshotStream } from "#operator/connector/snapshot-stream.ts";
import { countTaskless, isAtRest, toSnapshots } from "#operator/connector/snapshots.ts";
import { ConnectRestError } from "#operator/worker/connect-client.ts";

function expanded(tasks: readonly InstanceState[], connector: InstanceState, count = tasks.length): ExpandedConnectors {
  const worker_id = "10.0.0.1:8083";
  return {
    a: {
      info: {
        name: "a",
        config: { k: "v" },
        tasks: Array.from({ length: count }, (_, task) => ({ connector: "a", task })),
        type: "source",
      },
      status: {
        name: "a",
        type: "source",
        connector: { state: connector, worker_id },
        tasks: tasks.map((state, id) => ({ id, state, worker_id })),
      },
    },
  };
}

describe("toSnapshots", () => {
  const table: readonly [string, ExpandedConnectors, string, number | null, boolean][] = [
    ["running", expanded(["RUNNING"], "RUNNING"), "STARTED", 1, true],
    ["paused", expanded(["PAUSED"], "PAUSED"), "PAUSED", 1, true],
    ["failed while paused", expanded(["PAUSED"], "FAILED"), "PAUSED", 1, true],
    ["stopped", expanded([], "STOPPED"), "STOPPED", 0, true],
    ["at work, its tasks not planned yet", expanded([], "RUNNING"), "STARTED", null, false],
    ["not started yet", expanded([], "UNASSIGNED"), "STARTED", null, false],
    ["with tasks that nobody has told of yet", expanded([], "RUNNING", 2), "STARTED", 2, false],
    ["moving", expanded(["RUNNING", "UNASSIGNED"], "RUNNING"), "STARTED", 2, false],
  ];
  for (const [what, answer, target, count, atRest] of table) {
    it(`reads a connector that is ${what}`, () => {
      const snapshots = toSnapshots(answer, { topics: new Map([["a", ["t"]]]), taskless: new Map() });
      const { targetState, taskCount, topics } = snapshots["a"] ?? {};
      assert.deepEqual([targetState, taskCount, topics], [target, count, ["t"]]);
      assert.equal(isAtRest(snapshots), atRest);
    });
  }
});

describe("a connector of a JVM worker that runs without tasks", () => {
  const looks = (answers: readonly ExpandedConnectors[]) => {
    let taskless = countTaskless({}, new Map());
    return answers.map((answer) => {
      taskless = countTaskless(answer, taskless);
      return toSnapshots(answer, { topics: new Map(), taskless })["a"]?.taskCount;
    });
  };
  const none = expanded([], "RUNNING");
  const starting = expanded([], "UNASSIGNED");

  it("has none once it has been looked at three times in a row", () => {
    assert.deepEqual(looks([starting, none, none, none, none]), [null, null, null, 0, 0]);
  });

  it("has those that are planned in the meantime, also when it is resumed", () => {
    const stopped = expanded([], "STOPPED");
    const planned = expanded(["RUNNING"], "RUNNING");
    assert.deepEqual(looks([stopped, starting, none, none, planned]), [0, null, null, null, 1]);
    assert.deepEqual(looks([none, none, starting, none, none, none]), [null, null, null, null, null, 0]);
  });
});

describe("snapshotStream", () => {
  it("asks once for all connectors and for the topics of one at a time, sooner while something moves", async () => {
    const worker = { cluster: { namespace: "ns", name: "c" }, ip: "10.0.0.1" };
    const stop = new AbortController();
    const pauses: number[] = [];
    const asked: string[] = [];
    let states: readonly InstanceState[] = ["UNASSIGNED"];
    const connect = {
      expanded: async () => ({ ...expanded(states, "RUNNING"), b: expanded(["RUNNING"], "RUNNING")["a"] ?? {} }),
      topics: async (_worker: object, name: string) => {
        asked.push(name);
        if (name === "b") throw new ConnectRestError("rejected", "Topic tracking is disabled.");
        return ["t"];
      },
    };
    const pause = async (ms: number) => {
      pauses.push(ms);
      states = ["RUNNING"];
      if (pauses.length === 3) stop.abort();
    };
    const topics: unknown[] = [];
    for await (const event of snapshotStream({ connect, worker, pause }, stop.signal)) {
      assert.equal(event.kind, "snapshot");
      if (event.kind === "snapshot") topics.push(event.connectors["a"]?.topics);
    }
    assert.deepEqual(pauses, [1_000, 5_000, 5_000]);
    assert.deepEqual(asked, ["a", "b", "a"]);
    assert.deepEqual(topics, [[], ["t"], ["t"]]);
  });
});
