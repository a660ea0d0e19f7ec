import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DataError,
  FLOAT64_SCHEMA,
  INT32_SCHEMA,
  OPTIONAL_BYTES_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  type SchemaAndValue,
  STRING_SCHEMA,
} from "@headrace/sdk";
import { byteArrayConverter } from "#runtime/converters/byte-array.ts";

import { stringConverter } from "#runtime/converters/string.ts";

describe("string converter", () => {
  const converter = stringConverter.compile({ "converter.encoding": "UTF-8" }, false);

  it("writes text as it is, other values as text, null as null", () => {
    const rows: readonly [SchemaAndValue, string | null][] = [
      [{ schema: STRING_SCHEMA, value: "grüße" }, "grüße"],
      [{ schema: null, value: 5 }, "5"],
      [{ schema: FLOAT64_SCHEMA, value: 5 }, "5.0"],
      [{ schema: null, value: null }, null],
    ];
    for (const [data, text] of rows) assert.equal(converter.encode("t", data), text);
  });

  it("reads optional text", () => {
    assert.deepEqual(converter.decode("t", Buffer.from("ü")), { schema: OPTIONAL_STRING_SCHEMA, value: "ü" });
    assert.deepEqual(converter.decode("t", null), { schema: OPTIONAL_STRING_SCHEMA, value: null });
  });

  it("uses the character set it is told, and refuses one it does not know", () => {
    const latin = stringConverter.compile({ "converter.encoding": "ISO-8859-1" }, false);
    assert.deepEqual(latin.encode("t", { schema: null, value: "ü" }), Buffer.from([0xfc]));
    assert.equal(latin.decode("t", Buffer.from([0xfc])).value, "ü");
    assert.throws(
      () => stringConverter.compile({ "converter.encoding": "EBCDIC" }, false),
      /Unsupported encoding EBCDIC/,
    );
  });
});

describe("byte array converter", () => {
  const converter = byteArrayConverter.compile({}, false);

  it("passes bytes on, copied from the view it is given", () => {
    const view = Buffer.from([1, 2]);
    const { schema, value } = converter.decode("t", view);
    view[0] = 9;
    assert.deepEqual([schema, value], [OPTIONAL_BYTES_SCHEMA, Buffer.from([1, 2])]);
    assert.deepEqual(converter.encode("t", { schema: null, value: Buffer.from([3]) }), Buffer.from([3]));
    assert.equal(converter.encode("t", { schema: OPTIONAL_BYTES_SCHEMA, value: null }), null);
  });

  it("refuses everything else", () => {
    assert.throws(() => converter.encode("t", { schema: INT32_SCHEMA, value: 1 }), DataError);
    assert.throws(() => converter.encode("t", { schema: null, value: "x" }), DataError);
  });
});
