import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { s3Sink } from "@headrace/s3";
import { DataError, INT64_SCHEMA, STRING_SCHEMA, structSchema, TIMESTAMP_SCHEMA, type Value } from "@headrace/sdk";
import { sinkRecord } from "@headrace/sdk/testing";
import { belongsTo, objectKey } from "../../../connectors/s3/src/sink/object-name.ts";
import { createPartitioner, createTimestamps } from "../../../connectors/s3/src/sink/sink-parts.ts";

const NOON = Date.parse("2026-03-29T00:30:00Z");

function pathOf(config: Record<string, string>, value: Value, timestamp: number | null = NOON): string {
  const settings = s3Sink.config.parse({ "s3.bucket.name": "b", ...config });
  const record = sinkRecord({ partition: 7, offset: 3n, value: { schema: null, value }, timestamp });
  return createPartitioner(settings)(record, createTimestamps(settings, () => 0)(record));
}
const field = (names: string) => ({ "partitioner.class": "field", "partition.field.name": names });
const time = (format: string, durationMs: string, more: Record<string, string> = {}) => ({
  "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
  "path.format": format,
  "partition.duration.ms": durationMs,
  ...more,
});

describe("directories of the sink", () => {
  const table: readonly [string, Record<string, string>, Value, string][] = [
    ["the partition", {}, null, "partition=7"],
    ["a field", field("kind"), { kind: "a" }, "kind=a"],
    ["two fields, one of them inside", field("kind,at.city"), { kind: 1, at: { city: "Ulm" } }, "kind=1/at.city=Ulm"],
    ["a field with separators", field("kind"), { kind: "a/b%" }, "kind=a%2Fb%25"],
    ["a field that would go up", field("kind"), { kind: ".." }, "kind=%2E%2E"],
    ["a field with half a character", field("kind"), { kind: "a\ud800b" }, "kind=a\ufffdb"],
    ["days", { "partitioner.class": "daily" }, null, "year=2026/month=03/day=29"],
    ["hours", { "partitioner.class": "hourly" }, null, "year=2026/month=03/day=29/hour=00"],
    [
      "hours of a time zone",
      { "partitioner.class": "hourly", timezone: "America/New_York" },
      null,
      "year=2026/month=03/day=28/hour=20",
    ],
    [
      "hours behind the change to summer time",
      {
        "partitioner.class": "hourly",
        timezone: "Europe/Berlin",
        "timestamp.extractor": "RecordField",
        "timestamp.field": "t",
      },
      { t: "2026-03-29T01:10:00Z" },
      "year=2026/month=03/day=29/hour=03",
    ],
    [
      "a time that no date has, in a time zone",
      {
        ...time("YYYY", "60000"),
        timezone: "Europe/Berlin",
        "timestamp.extractor": "RecordField",
        "timestamp.field": "t",
      },
      { t: 1_774_747_799_000_000_000 },
      "56241488",
    ],
    ["a format", time("'dt='YYYY-MM-dd'T'HHmm", "900000"), null, "dt=2026-03-29T0030"],
    [
      "quarters of an hour",
      time("HHmm", "900000", { "timestamp.extractor": "RecordField", "timestamp.field": "t" }),
      { t: 1_774_747_799_000 },
      "0115",
    ],
    [
      "the clock's time",
      { "partitioner.class": "daily", "timestamp.extractor": "Wallclock" },
      null,
      "year=1970/month=01/day=01",
    ],
  ];
  for (const [name, config, value, path] of table) it(name, () => assert.equal(pathOf(config, value), path));

  it("refuses records that have no place", () => {
    assert.throws(() => pathOf(field("kind"), { other: 1 }), DataError);
    assert.throws(() => pathOf(field("kind"), { kind: null }), /kind is null/);
    assert.throws(() => pathOf(field("kind"), "text"), DataError);
    assert.throws(() => pathOf({ "partitioner.class": "daily" }, null, null), /no timestamp/);
    const byField = { "partitioner.class": "daily", "timestamp.extractor": "RecordField", "timestamp.field": "t" };
    assert.throws(() => pathOf(byField, { t: "yesterday" }), /no point in time/);
    assert.throws(() => pathOf(byField, { t: Number.NaN }), DataError);
  });

  it("reads the time of a field with a schema", () => {
    const settings = s3Sink.config.parse({
      "s3.bucket.name": "b",
      "timestamp.extractor": "recordfield",
      "timestamp.field": "a.t",
    });
    const inner = structSchema({ t: TIMESTAMP_SCHEMA, n: INT64_SCHEMA });
    const schema = structSchema({ a: inner, s: STRING_SCHEMA });
    const value = { a: { t: BigInt(NOON), n: 1n }, s: "" };
    assert.equal(createTimestamps(settings, () => 0)(sinkRecord({ offset: 0n, value: { schema, value } })), NOON);
  });
});

describe("names of objects", () => {
  const names = {
    topicsDir: "topics",
    directoryDelimiter: "/",
    fileDelimiter: "+",
    offsetWidth: 10,
    extension: ".json.gz",
  };

  it("have where the first record lies in Kafka", () => {
    const original = { topic: "orders", partition: 3, offset: 12n };
    assert.equal(
      objectKey(names, { topic: "renamed", path: "day=1", original }),
      "topics/renamed/day=1/orders+3+0000000012.json.gz",
    );
    assert.equal(
      objectKey({ ...names, topicsDir: "" }, { topic: "t", path: "p", original }),
      "t/p/orders+3+0000000012.json.gz",
    );
  });

  it("are refused when they are longer than S3 takes", () => {
    const original = { topic: "orders", partition: 3, offset: 12n };
    const key = (length: number) => objectKey(names, { topic: "t", path: "ü".repeat(length), original });
    assert.throws(() => key(500), DataError);
    assert.ok(Buffer.byteLength(key(400)) < 1024);
  });

  it("are told from those of other partitions", () => {
    const own = [{ topic: "orders", partition: 3 }];
    assert.equal(belongsTo(names, "topics/orders/day=1/orders+3+0000000012.json.gz", own), true);
    assert.equal(belongsTo(names, "topics/orders/day=1/orders+31+0000000012.json.gz", own), false);
    assert.equal(belongsTo(names, "topics/orders/day=1/orders+3+0000000012.json", own), false);
    assert.equal(belongsTo(names, "topics/orders/day=1/orders+3+copy.json.gz", own), false);
  });
});
