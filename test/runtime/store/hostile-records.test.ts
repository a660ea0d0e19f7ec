import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readConfigRecord } from "#runtime/store/config-records.ts";
import { EMPTY_CONFIG, foldConfig } from "#runtime/store/config-state.ts";
import { createOffsetStore } from "#runtime/store/offset-store.ts";
import { createStatusStore } from "#runtime/store/status-store.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { bytes, garbage, json, type RawRecord, toRaw } from "./garbage.ts";
import { createMemoryTopic } from "./memory-topic.ts";

/** A fixed seed: a run that fails can be repeated. */
const RUNS = { seed: 20_261_124, numRuns: 400 };
const signal = AbortSignal.timeout(300_000);

/** `good` in its order, with garbage anywhere between. */
function mixed(good: readonly RawRecord[], bad: fc.Arbitrary<RawRecord>): fc.Arbitrary<readonly RawRecord[]> {
  return fc
    .array(fc.tuple(fc.nat({ max: good.length }), bad), { maxLength: 30 })
    .map((pieces) =>
      [...good, null].flatMap((record, index) => [
        ...pieces.filter(([at]) => at === index).map(([, piece]) => piece),
        ...(record === null ? [] : [record]),
      ]),
    );
}

function toLog(records: readonly RawRecord[]) {
  return records.map(({ key, value }, index) => ({
    partition: 0,
    offset: BigInt(index),
    timestampMs: 1_700_000_000_000 + index,
    key,
    value,
  }));
}

/** Opens a store over a topic that holds these records. */
function topicOf(records: readonly RawRecord[]) {
  const view = createMemoryTopic().open();
  return {
    ...view,
    start: async (onRecords: Parameters<typeof view.start>[0]) => onRecords(toLog(records)),
  };
}

const GOOD_CONFIG = [
  { key: "connector-good", value: '{"properties":{"name":"good"}}' },
  { key: "task-good-0", value: '{"properties":{"n":"0"}}' },
  { key: "task-good-1", value: '{"properties":{"n":"1"}}' },
  { key: "commit-good", value: '{"tasks":2}' },
  { key: "target-state-good", value: '{"state":"PAUSED","state.v2":"PAUSED"}' },
  { key: "tasks-fencing-good", value: '{"task-count":2}' },
].map(toRaw);

describe("hostile records", () => {
  it("of the config topic change nothing that good ones say, and the offset advances over all", () => {
    fc.assert(
      fc.property(mixed(GOOD_CONFIG, garbage("config")), (records) => {
        const { state, problems } = foldConfig(EMPTY_CONFIG, toLog(records));
        assert.equal(state.offset, BigInt(records.length));
        const good = state.connectors.get("good");
        assert.deepEqual(good?.config, { name: "good" });
        assert.deepEqual(good.tasks, [{ n: "0" }, { n: "1" }]);
        assert.equal(good.targetState, "PAUSED");
        assert.equal(state.taskCounts.get("good"), 2);
        for (const { problem } of problems) assert.ok(problem.length > 0);
        for (const entry of state.connectors.values()) {
          for (const value of Object.values(entry.config)) assert.equal(typeof value, "string");
        }
      }),
      RUNS,
    );
  });

  it("of the config topic are understood or refused, whatever their bytes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.constant(null), bytes), fc.oneof(fc.constant(null), bytes, json), (key, value) => {
        assert.equal(typeof readConfigRecord(key, value).kind, "string");
      }),
      RUNS,
    );
  });

  it("of the status topic change nothing that good ones say", async () => {
    const good = [
      { key: "status-connector-good", value: status("RUNNING") },
      { key: "status-task-good-0", value: status("FAILED") },
      {
        key: "status-topic-lines:connector-good",
        value: '{"topic":{"name":"lines","connector":"good","task":0,"discoverTimestamp":1}}',
      },
    ].map(toRaw);
    await fc.assert(
      fc.asyncProperty(mixed(good, garbage("status")), async (records) => {
        const store = createStatusStore(topicOf(records), { log: createSilentLog() });
        await store.start(signal);
        assert.equal(store.connector("good")?.state, "RUNNING");
        assert.equal(store.task({ connector: "good", task: 0 })?.state, "FAILED");
        assert.deepEqual(store.topics("good"), ["lines"]);
        await store.stop();
      }),
      RUNS,
    );
  });

  it("of the offsets topic change nothing that good ones say", async () => {
    const good = [
      { key: '["good",{"file":"a"}]', value: '{"n":9007199254740993}' },
      { key: '["good",{"file":"b"}]', value: '{"n":2,"text":"ü"}' },
    ].map(toRaw);
    await fc.assert(
      fc.asyncProperty(mixed(good, garbage("offsets")), async (records) => {
        const store = createOffsetStore(topicOf(records), { log: createSilentLog() });
        await store.start(signal);
        assert.deepEqual(
          new Map((await store.list("good", signal)).map(({ partition, offset }) => [partition["file"], offset])),
          new Map([
            ["a", { n: 9_007_199_254_740_993n }],
            ["b", { n: 2, text: "ü" }],
          ]),
        );
        await store.stop();
      }),
      RUNS,
    );
  });
});

function status(state: string): string {
  return `{"state":"${state}","trace":null,"worker_id":"w:8083","generation":1,"version":"1.0"}`;
}
