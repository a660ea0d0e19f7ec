import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  connectorKey,
  readStatusRecord,
  statusValue,
  taskKey,
  topicKey,
  topicValue,
} from "#runtime/store/status-records.ts";
import { goldenTopic } from "./golden.ts";

const read = (key: string | null, value: string | null) =>
  readStatusRecord(key === null ? null : Buffer.from(key), value === null ? null : Buffer.from(value));

describe("records of the status topic", () => {
  const golden = goldenTopic("status");

  it("are written byte for byte as a JVM worker writes them", () => {
    const kinds = golden.map(({ key, value }) => {
      const record = read(key, value);
      switch (record.kind) {
        case "connector":
        case "task": {
          const name = record.kind === "task" ? taskKey(record.id) : connectorKey(record.connector);
          assert.equal(name, key);
          assert.equal(record.entry === null ? null : statusValue(record.entry)?.toString(), value);
          return record.entry?.state ?? "gone";
        }
        case "topic": {
          const { topic } = JSON.parse(value ?? "");
          assert.equal(topicKey(record.connector, record.topic), key);
          assert.equal(topicValue(topic).toString(), value);
          return "topic";
        }
        default:
          throw new Error(`not understood: ${key}`);
      }
    });
    const expected = ["topic", "FAILED", "gone", "RUNNING", "STOPPED", "PAUSED", "UNASSIGNED", "RESTARTING"];
    assert.deepEqual(new Set(kinds), new Set(expected));
  });

  it("have no version before Kafka 4.1", () => {
    assert.deepEqual(read("status-task-a-b-3", '{"state":"RUNNING","trace":null,"worker_id":"w:1","generation":2}'), {
      kind: "task",
      id: { connector: "a-b", task: 3 },
      entry: { state: "RUNNING", trace: null, workerId: "w:1", generation: 2, version: null },
    });
  });

  it("never hold DESTROYED", () => {
    const entry = { state: "DESTROYED", workerId: "w", generation: 1, trace: null, version: null } as const;
    assert.equal(statusValue(entry), null);
  });

  it("split a topic's key at the first separator", () => {
    assert.deepEqual(read("status-topic-t:connector-c:connector-d", '{"topic":{}}'), {
      kind: "topic",
      topic: "t",
      connector: "c:connector-d",
      active: true,
    });
  });

  for (const [key, value] of [
    [null, "{}"],
    ["status", "{}"],
    ["status-connector-", "{}"],
    ["status-connector-c", "{"],
    ["status-connector-c", "[]"],
    ["status-connector-c", "{}"],
    ["status-connector-c", '{"state":"DANCING","trace":null,"worker_id":"w","generation":1}'],
    ["status-connector-c", '{"state":"RUNNING","trace":null,"generation":1}'],
    ["status-connector-c", '{"state":"RUNNING","trace":7,"worker_id":"w","generation":1}'],
    ["status-connector-c", '{"state":"RUNNING","trace":null,"worker_id":"w","generation":"1"}'],
    ["status-task-c", "{}"],
    ["status-task--1", '{"state":"RUNNING","trace":null,"worker_id":"w","generation":1}'],
    ["status-task-c-x", null],
    ["status-topic-t", '{"topic":{}}'],
    ["status-topic-:connector-c", '{"topic":{}}'],
    ["status-topic-t:connector-", '{"topic":{}}'],
    ["status-topic-t:connector-c", "{}"],
    ["status-topic-t:connector-c", "5"],
  ] as const) {
    it(`are corrupt like ${key} ${value}`, () => assert.equal(read(key, value).kind, "corrupt"));
  }
});
