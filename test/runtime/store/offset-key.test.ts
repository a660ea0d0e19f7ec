import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isJsonObject, parseJson } from "#runtime/json.ts";
import { partitionForKey } from "#runtime/kafka/partitioner.ts";
import { canonicalPartition, decodeOffsetKey, encodeOffsetKey, readOffsetMap } from "#runtime/store/offset-key.ts";
import { readLines } from "./golden.ts";

/** What JsonConverter made of HashMaps; computed by test/interop/OffsetKeys.java. */
const golden = readLines("offset-keys.jsonl").map((line) => {
  const parsed = parseJson(line);
  assert.ok(isJsonObject(parsed) && Array.isArray(parsed["entries"]));
  const partition = readOffsetMap(Object.fromEntries(parsed["entries"]));
  assert.ok(partition !== null);
  return {
    connector: String(parsed["connector"]),
    partition,
    key: String(parsed["key"]),
    kafkaPartition: parsed["kafkaPartition"],
  };
});

describe("keys of the offsets topic", () => {
  it("have the bytes that Java writes for a HashMap", () => {
    assert.ok(golden.length > 300);
    for (const { connector, partition, key } of golden)
      assert.equal(encodeOffsetKey(connector, partition).toString(), key);
  });

  it("go to the partition that Java chooses", () => {
    for (const { key, kafkaPartition } of golden) assert.equal(partitionForKey(Buffer.from(key), 25), kafkaPartition);
  });

  it("are read back", () => {
    for (const { connector, partition, key } of golden) {
      assert.deepEqual(decodeOffsetKey(Buffer.from(key)), { connector, partition });
    }
  });

  it("are equal for equal partitions, whatever the order and the integer type", () => {
    for (const { partition } of golden) {
      const reversed = Object.fromEntries(Object.entries(partition).reverse());
      assert.equal(canonicalPartition(reversed), canonicalPartition(partition));
    }
    assert.equal(canonicalPartition({ a: 1n, b: "x" }), canonicalPartition({ b: "x", a: 1 }));
    assert.notEqual(canonicalPartition({ a: 1 }), canonicalPartition({ a: "1" }));
    assert.notEqual(canonicalPartition({ a: null }), canonicalPartition({}));
  });

  for (const text of [
    "",
    "{",
    "null",
    "{}",
    '"c"',
    "[]",
    '["c"]',
    '["c",{},1]',
    "[1,{}]",
    '["c",null]',
    '["c",[]]',
    '["c",{"a":{}}]',
  ]) {
    it(`are not like ${JSON.stringify(text)}`, () => assert.equal(decodeOffsetKey(Buffer.from(text)), null));
  }
});
