import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupView } from "#runtime/group/group.ts";
import type { GroupClient } from "#runtime/kafka/group-client.ts";
import { createGroupMetrics } from "#runtime/metrics/group-metrics.ts";

const { signal } = new AbortController();

function setUp() {
  const clock = { ms: 0 };
  const metrics = createGroupMetrics({ samples: 2, sampleWindowMs: 30_000, now: () => clock.ms });
  const later = (ms: number) => {
    clock.ms += ms;
  };
  const answers = { sync: "synced" as "synced" | "rebalance-in-progress" };
  const unused = () => {
    throw new Error("not used here");
  };
  const client: GroupClient = {
    async join() {
      later(30);
      return { kind: "joined", memberId: "m", generation: 1, protocol: "sessioned", leaderId: "m", members: [] };
    },
    async sync() {
      later(10);
      return answers.sync === "synced" ? { kind: "synced", assignment: Buffer.alloc(0) } : { kind: answers.sync };
    },
    async heartbeat() {
      later(5);
      return { kind: "alive" };
    },
    leave: unused,
    members: unused,
    close: unused,
  };
  return { clock, metrics, answers, client: metrics.measure(client) };
}

const identity = { memberId: "m", generation: 1 };

describe("group metrics", () => {
  it("measure rounds from joining to the assignment, failed ones included", async () => {
    const { clock, metrics, answers, client } = setUp();
    assert.equal(metrics.coordinator()["last-rebalance-seconds-ago"], -1);
    await client.join({ memberId: "m", protocols: [] }, signal);
    answers.sync = "rebalance-in-progress";
    await client.sync({ ...identity, assignments: [] }, signal);
    answers.sync = "synced";
    await client.join({ memberId: "m", protocols: [] }, signal);
    await client.sync({ ...identity, assignments: [] }, signal);
    await client.heartbeat(identity, signal);
    clock.ms += 2_000;
    const values = metrics.coordinator();
    const {
      "join-total": joins,
      "join-time-avg": joinMs,
      "sync-total": syncs,
      "rebalance-total": rounds,
      "rebalance-latency-max": longestMs,
      "rebalance-latency-total": allMs,
      "failed-rebalance-total": failed,
      "heartbeat-response-time-max": heartbeatMs,
      "last-heartbeat-seconds-ago": heartbeatAge,
      "last-rebalance-seconds-ago": roundAge,
    } = values;
    assert.deepEqual([joins, joinMs, syncs, rounds, longestMs, allMs, failed], [2, 30, 1, 1, 80, 80, 1]);
    assert.deepEqual([heartbeatMs, heartbeatAge, roundAge], [5, 2, 2]);
  });

  it("count a rebalance when a new generation stands, and how long it took", () => {
    const { clock, metrics } = setUp();
    const view = (generation: number, rebalancing: boolean): GroupView => ({
      memberId: "m",
      generation,
      leaderId: "m",
      leaderUrl: "http://a/",
      isLeader: true,
      protocolVersion: 2,
      rebalancing,
      delayMs: 0,
      members: [],
      balanced: true,
    });
    metrics.saw(view(1, true));
    clock.ms += 40;
    metrics.saw(view(2, false));
    metrics.saw(view(2, false));
    clock.ms += 7;
    assert.deepEqual(metrics.rebalances(), {
      "completed-rebalances-total": 1,
      "rebalance-max-time-ms": 40,
      "rebalance-avg-time-ms": 40,
      "time-since-last-rebalance-ms": 7,
    });
  });
});
