import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Partition } from "#runtime/kafka/record-consumer.ts";
import { SinkFlow } from "#runtime/task/sink-flow.ts";

const partitions = (...numbers: number[]) => numbers.map((partition) => ({ topic: "t", partition }));

function setUp(...owned: number[]) {
  const fetched = new Set(owned);
  let mine = owned;
  const flow = new SinkFlow(
    {
      pause: (some: readonly Partition[]) => {
        for (const { partition } of some) fetched.delete(partition);
      },
      resume: (some: readonly Partition[]) => {
        for (const { partition } of some) fetched.add(partition);
      },
    },
    () => partitions(...mine),
  );
  return {
    flow,
    fetched: () => [...fetched].sort(),
    own: (...numbers: number[]) => {
      mine = numbers;
      for (const number of fetched) if (!numbers.includes(number)) fetched.delete(number);
      for (const number of numbers) fetched.add(number);
    },
  };
}

describe("sink flow", () => {
  it("keeps what the task has paused, whatever else is paused and resumed", () => {
    const { flow, fetched } = setUp(0, 1, 2);
    flow.pause(partitions(1));
    flow.hold("redelivery");
    flow.hold("paused");
    assert.deepEqual(fetched(), []);
    flow.release("redelivery");
    assert.deepEqual(fetched(), []);
    flow.release("paused");
    assert.deepEqual(fetched(), [0, 2]);
    flow.resume(partitions(1));
    assert.deepEqual(fetched(), [0, 1, 2]);
  });

  it("does not let the task resume what waits for something else", () => {
    const { flow, fetched } = setUp(0, 1);
    flow.pause(partitions(0));
    flow.hold("redelivery");
    flow.resume(partitions(0));
    assert.deepEqual(fetched(), []);
    flow.release("redelivery");
    assert.deepEqual(fetched(), [0, 1]);
  });

  it("remembers the task's pauses through a rebalance that gives the partitions back, and forgets the others", () => {
    const { flow, fetched, own } = setUp(0, 1);
    flow.pause(partitions(0, 1));
    own(0, 2);
    flow.assigned(partitions(0, 2));
    assert.deepEqual(fetched(), [2]);
    own(0, 1, 2);
    flow.assigned(partitions(1));
    flow.release("paused");
    flow.pause(partitions(0));
    assert.deepEqual(fetched(), [1, 2]);
  });

  it("refuses partitions of others", () => {
    const { flow } = setUp(0);
    assert.throws(() => flow.pause(partitions(0, 7)), /may only pause partitions that are assigned to it; t-7 are not/);
  });
});
