import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeJavaMap, encodeJavaMap, JavaMapError } from "#runtime/standalone/java-map.ts";

/** What a JVM writes for a HashMap with {"k"} → {"v"} and {"gone"} → null. */
const GOLDEN = Buffer.from(
  [
    "aced0005",
    "73720011", // an object of the class with a name of 17 bytes
    Buffer.from("java.util.HashMap").toString("hex"),
    "0507dac1c31660d1030002",
    `46000a${Buffer.from("loadFactor").toString("hex")}`,
    `490009${Buffer.from("threshold").toString("hex")}`,
    "7870",
    "3f400000",
    "0000000c",
    "77080000001000000002",
    "7572", // an array and its class
    "00025b42acf317f8060854e0020000",
    "7870",
    "000000016b",
    "7571007e0002",
    "0000000176",
    "7571007e0002",
    "00000004676f6e65",
    "70",
    "78",
  ].join(""),
  "hex",
);
const bytes = (text: string) => Buffer.from(text);

describe("a serialized HashMap", () => {
  it("is written as a JVM writes it", () => {
    const entries = [
      [bytes("k"), bytes("v")],
      [bytes("gone"), null],
    ] as const;
    assert.equal(encodeJavaMap(entries).toString("hex"), GOLDEN.toString("hex"));
  });

  it("is read", () => {
    assert.deepEqual(decodeJavaMap(GOLDEN), [
      [bytes("k"), bytes("v")],
      [bytes("gone"), null],
    ]);
  });

  it("comes back as it was, whatever it holds", () => {
    const array = fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data));
    const entries = fc.array(fc.tuple(fc.option(array), fc.option(array)), { maxLength: 40 });
    fc.assert(fc.property(entries, (given) => assert.deepEqual(decodeJavaMap(encodeJavaMap(given)), given)));
  });

  it("has buckets for its entries, as a table of Java has", () => {
    const entries = Array.from({ length: 13 }, (_, index) => [Buffer.from([index]), null] as const);
    // Load factor, threshold, block data, buckets.
    assert.match(encodeJavaMap(entries).toString("hex"), /3f40000000000018770800000020(0000000d)/);
  });

  it("names where it is cut, changed or of another class, and never hangs", () => {
    for (let length = 0; length < GOLDEN.length; length += 1) {
      assert.throws(() => decodeJavaMap(GOLDEN.subarray(0, length)), JavaMapError);
    }
    const other = Buffer.from(GOLDEN.toString("latin1").replace("java.util.HashMap", "java.util.HashSet"), "latin1");
    assert.throws(() => decodeJavaMap(other), /the object is not a java\.util\.HashMap \(at byte/);
    assert.throws(() => decodeJavaMap(Buffer.concat([GOLDEN, GOLDEN])), /more behind the end/);
    fc.assert(
      fc.property(fc.nat(GOLDEN.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(GOLDEN);
        changed[at] = value;
        try {
          decodeJavaMap(changed);
        } catch (error) {
          assert.ok(error instanceof JavaMapError);
        }
      }),
    );
  });
});
