import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAvroCodec, parseAvroSchema } from "@headrace/avro";
import {
  arraySchema,
  BOOLEAN_SCHEMA,
  BYTES_SCHEMA,
  DATE_SCHEMA,
  DataError,
  decimalSchema,
  FLOAT32_SCHEMA,
  FLOAT64_SCHEMA,
  fromUnscaled,
  INT8_SCHEMA,
  INT16_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  mapSchema,
  OPTIONAL_STRING_SCHEMA,
  optional,
  type Schema,
  STRING_SCHEMA,
  schemasEqual,
  structSchema,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  toDouble,
  type Value,
  valuesEqual,
  withAttributes,
} from "@headrace/sdk";
import avsc from "avsc";

const codec = createAvroCodec();
const NOTHING = Buffer.alloc(0);

function encode(schema: Schema | null, value: Value, text = codec.schemaText(schema)): Buffer {
  return codec.encoder(parseAvroSchema(text), schema)(value, NOTHING);
}

function decode(text: string, bytes: Buffer) {
  const { schema, read } = codec.decoder(parseAvroSchema(text), null);
  return { schema, value: read(bytes, 0) };
}

const EVERYTHING = structSchema(
  {
    i8: INT8_SCHEMA,
    i16: INT16_SCHEMA,
    i32: INT32_SCHEMA,
    i64: INT64_SCHEMA,
    f32: FLOAT32_SCHEMA,
    f64: FLOAT64_SCHEMA,
    yes: BOOLEAN_SCHEMA,
    text: STRING_SCHEMA,
    maybe: OPTIONAL_STRING_SCHEMA,
    defaulted: withAttributes(optional(INT64_SCHEMA), { default: 7n }),
    bytes: BYTES_SCHEMA,
    price: decimalSchema(2),
    day: DATE_SCHEMA,
    time: TIME_SCHEMA,
    at: TIMESTAMP_SCHEMA,
    list: arraySchema(OPTIONAL_STRING_SCHEMA),
    map: mapSchema(STRING_SCHEMA, INT32_SCHEMA),
    entries: mapSchema(INT32_SCHEMA, STRING_SCHEMA),
    inner: optional(structSchema({ a: INT32_SCHEMA }, "com.acme.Inner")),
    again: structSchema({ a: INT32_SCHEMA }, "com.acme.Inner"),
  },
  "com.acme.Everything",
);

const VALUE: Value = {
  i8: -128,
  i16: 32767,
  i32: -(2 ** 31),
  i64: -(2n ** 63n),
  f32: 1.5,
  f64: Math.PI,
  yes: true,
  text: "grüß",
  maybe: null,
  defaulted: 2n ** 52n,
  bytes: Buffer.from([0, 255]),
  price: fromUnscaled(-12345n),
  day: 19000,
  time: 86_399_999,
  at: 1_700_000_000_000n,
  list: ["a", null],
  map: new Map([["k", 1]]),
  entries: new Map([[1, "one"]]),
  inner: { a: 1 },
  again: { a: 2 },
};

describe("Connect data as Avro", () => {
  it("comes back as it was, schema and value", () => {
    const text = codec.schemaText(EVERYTHING);
    const back = decode(text, encode(EVERYTHING, VALUE));
    assert.ok(back.schema !== null && valuesEqual(back.value, VALUE));
    // What Avro adds by its fields' defaults is told by a parameter; the rest is equal.
    assert.deepEqual(back.schema, EVERYTHING);
  });

  it("is what another Avro library reads and writes", () => {
    const text = codec.schemaText(EVERYTHING);
    const type = avsc.Type.forSchema(JSON.parse(text), { registry: {} });
    const small = { ...VALUE, i64: -5n, defaulted: 6n, at: 1_700_000_000_000n };
    const bytes = encode(EVERYTHING, small);
    const theirs = type.fromBuffer(bytes);
    assert.equal(theirs.text, "grüß");
    assert.equal(theirs.i64, -5);
    assert.equal(theirs.again.a, 2);
    assert.ok(type.toBuffer(theirs).equals(bytes));
  });

  it("has the schema text that Java's library prints", () => {
    const schema = structSchema(
      { id: INT64_SCHEMA, note: OPTIONAL_STRING_SCHEMA, small: INT8_SCHEMA, at: TIMESTAMP_SCHEMA },
      "com.acme.Order",
    );
    assert.equal(
      codec.schemaText(schema),
      '{"type":"record","name":"Order","namespace":"com.acme","fields":[{"name":"id","type":"long"},' +
        '{"name":"note","type":["null","string"],"default":null},' +
        '{"name":"small","type":{"type":"int","connect.type":"int8"}},' +
        '{"name":"at","type":{"type":"long","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Timestamp","logicalType":"timestamp-millis"}}' +
        '],"connect.name":"com.acme.Order"}',
    );
    assert.equal(codec.schemaText(STRING_SCHEMA), '"string"');
    assert.equal(codec.schemaText(OPTIONAL_STRING_SCHEMA), '["null","string"]');
  });

  it("has the bytes of the specification's examples", () => {
    const longs: readonly [bigint, string][] = [
      [0n, "00"],
      [-1n, "01"],
      [1n, "02"],
      [-64n, "7f"],
      [64n, "8001"],
      [2n ** 63n - 1n, "feffffffffffffffff01"],
      [-(2n ** 63n), "ffffffffffffffffff01"],
      [2n ** 40n, "808080808040"],
      [2n ** 52n, "80808080808080 10".replace(" ", "")],
    ];
    for (const [value, hex] of longs) assert.equal(encode(INT64_SCHEMA, value).toString("hex"), hex);
    assert.equal(encode(STRING_SCHEMA, "foo").toString("hex"), "06666f6f");
    assert.equal(encode(arraySchema(INT64_SCHEMA), [3n, 27n]).toString("hex"), "04063600");
    const record = structSchema({ a: INT64_SCHEMA, b: STRING_SCHEMA }, "test");
    assert.equal(encode(record, { a: 27n, b: "foo" }).toString("hex"), "3606666f6f");
    assert.equal(encode(OPTIONAL_STRING_SCHEMA, null).toString("hex"), "00");
    assert.equal(encode(OPTIONAL_STRING_SCHEMA, "a").toString("hex"), "020261");
  });

  it("keeps 64 bits exact around every power of two", () => {
    const { schema, read } = codec.decoder(parseAvroSchema('"long"'), null);
    assert.ok(schemasEqual(schema, INT64_SCHEMA));
    for (let bits = 0n; bits < 63n; bits += 1n) {
      for (const value of [2n ** bits - 1n, 2n ** bits, -(2n ** bits), -(2n ** bits) - 1n]) {
        assert.equal(read(encode(INT64_SCHEMA, value), 0), value);
      }
    }
  });

  it("carries data without a schema", () => {
    const value: Value = { a: [1, "x", null, 2n ** 60n, toDouble(2), 0.5, true], b: { c: Buffer.from("y") } };
    const back = decode(codec.schemaText(null), encode(null, value));
    assert.equal(back.schema, null);
    assert.ok(valuesEqual(back.value, value));
  });

  it("reads plain Avro of other writers", () => {
    const text = JSON.stringify({
      type: "record",
      name: "Event",
      namespace: "com.acme",
      doc: "An event",
      fields: [
        { name: "kind", type: { type: "enum", name: "Kind", symbols: ["NEW", "OLD"] }, doc: "Which" },
        { name: "what", type: ["null", "string", "long"], default: null },
        { name: "digest", type: { type: "fixed", name: "MD5", size: 2 } },
        { name: "maybe", type: ["null", "int"], default: null },
        { name: "count", type: "int", default: 3 },
      ],
    });
    const bytes = avsc.Type.forSchema(JSON.parse(text), { wrapUnions: true }).toBuffer({
      kind: "OLD",
      what: { long: 9 },
      digest: Buffer.from([1, 2]),
      maybe: { int: 4 },
      count: 5,
    });
    const { schema, value } = decode(text, bytes);
    assert.deepEqual(value, {
      kind: "OLD",
      what: { string: null, long: 9n },
      digest: Buffer.from([1, 2]),
      maybe: 4,
      count: 5,
    });
    const fields = new Map(schema?.fields?.map((field) => [field.name, field.schema]));
    assert.equal(schema?.name, "com.acme.Event");
    assert.equal(schema?.parameters?.["io.confluent.connect.avro.record.doc"], "An event");
    assert.equal(fields.get("what")?.name, "io.confluent.connect.avro.Union");
    assert.equal(fields.get("kind")?.parameters?.["io.confluent.connect.avro.Enum"], "com.acme.Kind");
    assert.equal(fields.get("count")?.default, 3);
    assert.equal(fields.get("maybe")?.optional, true);
    // The union goes back to the member that is set.
    assert.ok(schema !== null && codec.encoder(parseAvroSchema(text), schema)(value, NOTHING).equals(bytes));
  });

  it("writes by another schema: fields by name, missing ones as their default", () => {
    const latest =
      '{"type":"record","name":"R","fields":[{"name":"b","type":"string"},{"name":"c","type":["null","int"],"default":null}]}';
    const schema = structSchema({ a: INT32_SCHEMA, b: STRING_SCHEMA }, "R");
    assert.deepEqual(decode(latest, encode(schema, { a: 1, b: "x" }, latest)).value, { b: "x", c: null });
    const defaults = JSON.stringify({
      type: "record",
      name: "R",
      fields: [
        { name: "text", type: "string", default: "?" },
        { name: "list", type: { type: "array", items: "long" }, default: [1, 2] },
        { name: "some", type: ["int", "null"], default: 7 },
        { name: "b", type: "string" },
        {
          name: "in",
          type: { type: "record", name: "In", fields: [{ name: "constructor", type: "string", default: "c" }] },
          default: {},
        },
      ],
    });
    assert.deepEqual(decode(defaults, encode(schema, { a: 1, b: "x" }, defaults)).value, {
      text: "?",
      list: [1n, 2n],
      some: 7,
      b: "x",
      in: { constructor: "c" },
    });
    const stricter = '{"type":"record","name":"R","fields":[{"name":"z","type":"string"}]}';
    assert.throws(() => encode(schema, { a: 1, b: "x" }, stricter), /field z, which the data lacks/);
  });

  it("says which field does not fit", () => {
    const schema = structSchema({ outer: structSchema({ n: INT32_SCHEMA }, "In") }, "Out");
    assert.throws(() => encode(schema, { outer: { n: "x" } }), {
      name: "DataError",
      message: "field outer: field n: Invalid type for INT32: java.lang.String",
    });
    assert.throws(() => encode(schema, { outer: { n: null } }), /null used for a required INT32/);
    assert.throws(() => encode(INT32_SCHEMA, 2 ** 31), DataError);
    assert.throws(() => encode(INT8_SCHEMA, 128), DataError);
    assert.throws(() => encode(INT8_SCHEMA, -1000), DataError);
    assert.throws(() => encode(INT16_SCHEMA, 2 ** 15, '"long"'), DataError);
    for (const tooLarge of [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n]) {
      assert.throws(() => encode(INT64_SCHEMA, tooLarge), { name: "DataError", message: /does not fit 64 bits/ });
    }
  });

  it("refuses or scrubs names that Avro does not admit", () => {
    const schema = structSchema({ "a-b": INT32_SCHEMA, "1st": INT32_SCHEMA }, "my-topic.Value");
    assert.throws(() => codec.schemaText(schema), /scrub\.invalid\.names=true/);
    // A namespace may be anything, as Avro for Java has it.
    assert.match(
      codec.schemaText(structSchema({ a: INT32_SCHEMA }, "my-topic.9x.Value")),
      /"namespace":"my-topic\.9x"/,
    );
    assert.throws(
      () => codec.schemaText(structSchema({ a: INT32_SCHEMA }, "topic.my-Value")),
      /scrub\.invalid\.names=true/,
    );
    const scrubbing = createAvroCodec({ scrub: true });
    const text = scrubbing.schemaText(schema);
    assert.match(text, /"name":"Value","namespace":"my_topic"/);
    const avro = parseAvroSchema(text);
    const bytes = scrubbing.encoder(avro, schema)({ "a-b": 1, "1st": 2 }, NOTHING);
    assert.deepEqual(decode(text, bytes).value, { a_b: 1, x1st: 2 });
  });

  it("refuses data that ends early or counts wrongly, wherever it was cut", () => {
    const text = codec.schemaText(EVERYTHING);
    const { read } = codec.decoder(parseAvroSchema(text), null);
    const bytes = encode(EVERYTHING, VALUE);
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => read(bytes.subarray(0, length), 0), DataError);
    }
    const list = codec.decoder(parseAvroSchema('{"type":"array","items":"int"}'), null);
    assert.throws(() => list.read(Buffer.from("feffffffffffffffff01", "hex"), 0), DataError);
    const empty = '{"type":"array","items":{"type":"record","name":"E","fields":[]}}';
    assert.deepEqual(decode(empty, Buffer.from("0600", "hex")).value, [{}, {}, {}]);
    // A few bytes must not become any number of items.
    const million = encode(INT64_SCHEMA, 1_000_000n);
    const bomb = Buffer.concat([million, million, Buffer.from([0])]);
    assert.throws(() => decode(empty, bomb), { name: "DataError", message: /items without bytes/ });
  });

  it("refuses schemas that cannot be", () => {
    for (const text of ["{", '"Unknown"', '{"type":"record","name":"A"}', '{"type":"enum","name":"E"}', "[1]"]) {
      assert.throws(() => parseAvroSchema(text), DataError, text);
    }
    const recursive = '{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}';
    assert.throws(() => decode(recursive, NOTHING), /holds itself/);
    const clash = structSchema({
      a: structSchema({ x: INT32_SCHEMA }, "T"),
      b: structSchema({ y: INT32_SCHEMA }, "T"),
    });
    assert.throws(() => codec.schemaText(clash), /two different types are named T/);
  });
});
