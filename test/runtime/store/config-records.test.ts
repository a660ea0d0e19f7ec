import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  commitRecord,
  connectorRecord,
  type EncodedRecord,
  loggerLevelRecord,
  readConfigRecord,
  restartRecord,
  sessionKeyRecord,
  targetStateRecord,
  taskCountRecord,
  taskRecord,
} from "#runtime/store/config-records.ts";
import { goldenTopic } from "./golden.ts";

const read = (key: string | null, value: string | null) =>
  readConfigRecord(key === null ? null : Buffer.from(key), value === null ? null : Buffer.from(value));

/** Writes again what was read. */
function rewrite(key: string, value: string | null): EncodedRecord | null {
  const record = read(key, value);
  switch (record.kind) {
    case "connector":
      return connectorRecord(record.connector, record.config);
    case "task":
      return taskRecord(record.connector, record.task, record.config);
    case "commit":
      return commitRecord(record.connector, record.tasks);
    case "targetState":
      return targetStateRecord(record.connector, record.state);
    case "sessionKey":
      return sessionKeyRecord(record.key);
    case "restart":
      return restartRecord(record.connector, record.includeTasks, record.onlyFailed);
    case "taskCount":
      return taskCountRecord(record.connector, record.count);
    case "loggerLevel":
      return loggerLevelRecord(record.namespace, record.level);
    default:
      return null;
  }
}

describe("records of the config topic", () => {
  const golden = goldenTopic("config");

  it("are all understood as a JVM worker writes them", () => {
    const kinds = golden.map(({ key, value }) => read(key, value).kind);
    assert.ok(!kinds.includes("corrupt"));
    const expected = [
      "sessionKey",
      "connector",
      "task",
      "commit",
      "taskCount",
      "targetState",
      "restart",
      "loggerLevel",
    ];
    assert.deepEqual(new Set(kinds), new Set(expected));
  });

  it("are written byte for byte as a JVM worker writes them", () => {
    const compared = golden.flatMap(({ key, value }) => {
      const record = rewrite(key, value);
      if (record === null) return [];
      assert.equal(record.key.toString(), key);
      assert.equal(record.value?.toString() ?? null, value);
      return [key.replace(/-.*/, "")];
    });
    const families = ["session", "connector", "task", "tasks", "commit", "target", "restart", "logger"];
    assert.deepEqual(new Set(compared), new Set(families));
  });

  it("have a fallback state for workers that do not know STOPPED", () => {
    assert.equal(targetStateRecord("c", "STOPPED").value?.toString(), '{"state":"PAUSED","state.v2":"STOPPED"}');
    assert.deepEqual(read("target-state-c", '{"state":"PAUSED"}'), {
      kind: "targetState",
      connector: "c",
      state: "PAUSED",
    });
    assert.deepEqual(read("target-state-c", '{"state":"PAUSED","state.v2":"STOPPED"}'), {
      kind: "targetState",
      connector: "c",
      state: "STOPPED",
    });
  });

  for (const [key, value, expected] of [
    ["task-a-b-12", '{"properties":{"k":"v"}}', { kind: "task", connector: "a-b", task: 12, config: { k: "v" } }],
    ["connector-task-x-0", '{"properties":{}}', { kind: "connector", connector: "task-x-0", config: {} }],
    ["connector-c", '{"properties":{"k":"v","n":null}}', { kind: "connector", connector: "c", config: { k: "v" } }],
    ["connector-c", null, { kind: "connector", connector: "c", config: null }],
    ["connector-c", "null", { kind: "connector", connector: "c", config: null }],
    ["target-state-c", null, { kind: "targetState", connector: "c", state: null }],
    ["restart-connector-c", "{}", { kind: "restart", connector: "c", includeTasks: false, onlyFailed: false }],
    [
      "restart-connector-c",
      '{"include-tasks":"yes","only-failed":true}',
      { kind: "restart", connector: "c", includeTasks: false, onlyFailed: true },
    ],
    ["tasks-fencing-c", '{"task-count":3}', { kind: "taskCount", connector: "c", count: 3 }],
    ["task-c-0", null, { kind: "ignored" }],
    ["logger-cluster-a.b", '{"level":"INFO"}', { kind: "loggerLevel", namespace: "a.b", level: "INFO" }],
  ] as const) {
    it(`reads ${key} ${value}`, () => assert.deepEqual(read(key, value), expected));
  }

  for (const [key, value] of [
    [null, "{}"],
    ["something", "{}"],
    ["", "{}"],
    ["connector-c", "not json"],
    ["connector-c", ""],
    ["connector-c", "[]"],
    ["connector-c", '"text"'],
    ["connector-c", "{}"],
    ["connector-c", '{"properties":null}'],
    ["connector-c", '{"properties":{"k":1}}'],
    ["connector-c", '{"properties":{"k":{}}}'],
    ["connector-c", "\ufffd\u0000"],
    ["task-c", '{"properties":{}}'],
    ["task-c-", '{"properties":{}}'],
    ["task-c-x", '{"properties":{}}'],
    ["task-c--1x", '{"properties":{}}'],
    ["task-c-0", "{}"],
    ["task-c-0", "7"],
    ["commit-c", null],
    ["commit-c", "{}"],
    ["commit-c", '{"tasks":"2"}'],
    ["commit-c", '{"tasks":-1}'],
    ["commit-c", '{"tasks":1.5}'],
    ["commit-c", '{"tasks":99999999999999999999}'],
    ["target-state-c", "{}"],
    ["target-state-c", "3"],
    ["target-state-c", '{"state":"SLEEPING"}'],
    ["target-state-c", '{"state":"PAUSED","state.v2":"SLEEPING"}'],
    ["tasks-fencing-c", null],
    ["tasks-fencing-c", '{"task-count":null}'],
    ["logger-cluster-", '{"level":"INFO"}'],
    ["logger-cluster-a", '{"level":1}'],
    ["logger-cluster-a", null],
    ["restart-connector-c", null],
    ["restart-connector-c", "[true]"],
    ["session-key", null],
    ["session-key", '{"key":"a","algorithm":"b"}'],
    ["session-key", '{"key":1,"algorithm":"b","creation-timestamp":1}'],
  ] as const) {
    it(`calls ${key} ${JSON.stringify(value)} corrupt`, () => {
      const record = read(key, value);
      assert.equal(record.kind, "corrupt");
      assert.ok(record.problem.length > 0);
    });
  }
});
