import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseOffsets } from "#operator/connector/offsets-json.ts";
import { keepTime, summarizeLag, summarizeOffsets } from "#operator/connector/offsets-summary.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

describe("summary of a sink's offsets", () => {
  const at = (partition: number, offset: string, end: string | null) => ({ topic: "t", partition, offset, end });

  it("has the group, the whole lag, the largest one, and the furthest behind first", () => {
    const partitions = [at(0, "5", "7"), at(1, "9007199254740993", "9007199254740999"), at(2, "3", null)];
    assert.deepEqual(summarizeLag({ group: "connect-c", partitions }, NOW), {
      group: "connect-c",
      partitions: 3,
      lag: 8,
      maxLag: 6,
      entries: [
        { partition: "t-1", offset: "9007199254740993", lag: 6 },
        { partition: "t-0", offset: "5", lag: 2 },
        { partition: "t-2", offset: "3" },
      ],
      observedAt: "2026-01-01T00:00:00Z",
    });
  });

  it("is not behind a topic that was made anew", () => {
    const { lag, maxLag } = summarizeLag({ group: "g", partitions: [at(0, "100", "3")] }, NOW);
    assert.deepEqual([lag, maxLag], [0, 0]);
  });

  it("stays small with thousands of partitions", () => {
    const partitions = Array.from({ length: 5_000 }, (_, i) => at(i, "0", String(i)));
    const found = summarizeLag({ group: "g", partitions }, NOW);
    assert.deepEqual([found.partitions, found.entries?.length, found.maxLag], [5_000, 10, 4_999]);
    assert.equal(found.entries?.[0]?.partition, "t-4999");
  });
});

describe("summary of a source's offsets", () => {
  const offsets = parseOffsets('{"offsets":[{"partition":{"table":"a"},"offset":{"lsn":9007199254740993}}]}');

  it("has every digit", () => {
    assert.deepEqual(summarizeOffsets(offsets, {}, NOW), {
      partitions: 1,
      entries: [{ partition: '{"table":"a"}', offset: '{"lsn":9007199254740993}' }],
      observedAt: "2026-01-01T00:00:00Z",
    });
  });

  it("shows partitions of Kafka, where a worker does not tell the lag, as topic and number", () => {
    const of = parseOffsets(
      '{"offsets":[{"partition":{"kafka_topic":"t","kafka_partition":1},"offset":{"kafka_offset":7}}]}',
    );
    assert.deepEqual(summarizeOffsets(of, {}, NOW).entries, [{ partition: "t-1", offset: "7" }]);
  });

  it("shows no secrets, and no long texts", () => {
    const secret = [
      { partition: { url: "postgres://me:canary1@db/x", key: "canary2-value" }, offset: { text: "x".repeat(5_000) } },
    ];
    const text = JSON.stringify(summarizeOffsets(secret, { "db.password": "canary2-value" }, NOW));
    assert.ok(!text.includes("canary"), text);
    assert.ok(text.length < 1_000);
  });

  it("keeps its time while nothing changes", () => {
    const first = summarizeOffsets(offsets, {}, NOW);
    assert.equal(keepTime(summarizeOffsets(offsets, {}, NOW + 5_000), first), first);
    const other = summarizeOffsets([], {}, NOW + 5_000);
    assert.equal(keepTime(other, first), other);
    assert.equal(keepTime(first, undefined), first);
  });
});
