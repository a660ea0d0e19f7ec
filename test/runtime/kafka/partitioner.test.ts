import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { murmur2, partitionForKey } from "#runtime/kafka/partitioner.ts";

describe("partitioner", () => {
  // From Kafka's own UtilsTest.
  for (const [text, hash] of [
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ] as const) {
    it(`hashes ${text} as Java does`, () => assert.equal(murmur2(Buffer.from(text)), hash));
  }

  it("takes the hash as positive", () => {
    assert.equal(partitionForKey(Buffer.from("21"), 1000), (-973932308 & 0x7fffffff) % 1000);
  });
});
