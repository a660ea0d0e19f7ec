import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createKafkaClients } from "#runtime/executor/kafka-clients.ts";
import { removeMember, removePredecessor } from "#runtime/executor/sink-members.ts";
import type { TopicAdmin } from "#runtime/kafka/topic-admin.ts";
import { createSilentLog } from "#support/silent-log.ts";

const signal = new AbortController().signal;
const ownerOf = (task: number, connectorConfig: Record<string, string> = {}) => ({
  worker: { "bootstrap.servers": "k:9092", "group.id": "ours" },
  connectorConfig,
  connector: "sink",
  task,
});

/** A consumer group with these client ids; members are named after their places. */
function createGroup(clientIds: readonly string[]) {
  const log = createSilentLog();
  const left = new Map(clientIds.map((clientId, index) => [`m${index}`, clientId]));
  const real = createKafkaClients({ cluster: "ours", features: () => [], log });
  const admin: Pick<TopicAdmin, "describeGroup" | "removeGroupMember" | "close"> = {
    describeGroup: async (group) => {
      assert.equal(group, "connect-sink");
      const members = [...left].map(([memberId, clientId]) => ({ memberId, clientId, clientHost: "" }));
      return { state: "Stable", members };
    },
    removeGroupMember: async (_group, memberId) => void left.delete(memberId),
    close: () => {},
  };
  const clients = { sinkIdentity: real.sinkIdentity, createAdmin: () => ({ ...unusable, ...admin }) };
  return { clients, log, left: () => [...left.keys()] };
}

const unused = () => {
  throw new Error("not used here");
};
const unusable: TopicAdmin = {
  clusterId: unused,
  topics: unused,
  partitions: unused,
  createTopic: unused,
  topicConfig: unused,
  offsets: unused,
  groupOffsets: unused,
  describeGroup: unused,
  removeGroupMember: unused,
  fenceProducer: unused,
  close: unused,
};

describe("members of a sink's consumer group", () => {
  it("are removed before a task starts if they are its own: not those of other tasks, clusters or workers (invariant 3)", async () => {
    const group = createGroup([
      "connector-consumer-sink-1-ours",
      "connector-consumer-sink-1-theirs",
      "connector-consumer-sink-1",
      "connector-consumer-sink-2-ours",
      "connector-consumer-sink-11-ours",
      "connector-consumer-sink-1-ours",
    ]);
    await removePredecessor(group.clients, ownerOf(1), group.log, signal);
    assert.deepEqual(group.left(), ["m1", "m2", "m3", "m4"]);
  });

  it("stay if a client id of the user's own makes all of them look the same", async () => {
    const group = createGroup(["mine", "mine"]);
    await removePredecessor(group.clients, ownerOf(1, { "consumer.override.client.id": "mine" }), group.log, signal);
    assert.deepEqual(group.left(), ["m0", "m1"]);
    assert.match(group.log.entries.at(-1)?.message ?? "", /client\.id is overridden/);
  });

  it("are removed one by one by their ids", async () => {
    const group = createGroup(["connector-consumer-sink-1-ours", "connector-consumer-sink-1-ours"]);
    await removeMember(group.clients, ownerOf(1), "m1", signal);
    assert.deepEqual(group.left(), ["m0"]);
  });

  it("hold up no start when the group cannot be asked", async () => {
    const { clients, log } = createGroup([]);
    let closed = 0;
    const admin = {
      ...unusable,
      describeGroup: async () => Promise.reject(new Error("no coordinator")),
      close: () => {
        closed += 1;
      },
    };
    await removePredecessor({ ...clients, createAdmin: () => admin }, ownerOf(0), log, signal);
    assert.match(log.entries.at(-1)?.message ?? "", /could not be looked for/);
    const stopped = AbortSignal.abort(new Error("stopped"));
    await assert.rejects(removePredecessor({ ...clients, createAdmin: () => admin }, ownerOf(0), log, stopped));
    assert.equal(closed, 2);
  });
});
