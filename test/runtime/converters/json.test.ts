import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  arraySchema,
  BOOLEAN_SCHEMA,
  BYTES_SCHEMA,
  DataError,
  FLOAT32_SCHEMA,
  FLOAT64_SCHEMA,
  fromUnscaled,
  INT8_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  mapSchema,
  OPTIONAL_STRING_SCHEMA,
  optional,
  type Schema,
  STRING_SCHEMA,
  structSchema,
  toPlain,
  type Value,
} from "@headrace/sdk";

import { jsonConverter } from "#runtime/converters/json.ts";

const compile = (config: Record<string, string>) => jsonConverter.compile(jsonConverter.config.parse(config), false);
const plain = compile({ "schemas.enable": "false" });
const enveloped = compile({});

const decimal: Schema = {
  type: "BYTES",
  optional: false,
  name: "org.apache.kafka.connect.data.Decimal",
  version: 1,
  parameters: { scale: "2" },
};

describe("json converter without schemas", () => {
  const both: readonly [string, Value][] = [
    ["true", true],
    ["5", 5],
    ["-0.5", -0.5],
    ["9007199254740991", 9007199254740991],
    ["9223372036854775807", 9223372036854775807n],
    ['"grüße \\" \\n"', 'grüße " \n'],
    ["[1,[2],null]", [1, [2], null]],
    ['{"a":1,"b":{"c":"x"},"__proto__":2}', JSON.parse('{"a":1,"b":{"c":"x"},"__proto__":2}')],
  ];
  for (const [text, value] of both) {
    it(`reads and writes ${text}`, () => {
      assert.deepEqual(plain.decode("t", Buffer.from(text)), { schema: null, value });
      assert.equal(plain.encode("t", { schema: null, value }), text);
    });
  }

  it("keeps what is written as a fraction a fraction, and tolerates leading zeros", () => {
    for (const text of ["[10.0,1.5]", '{"a":1.0E10}', "[0.0,-0.0]", "3.0"]) {
      assert.equal(plain.encode("t", plain.decode("t", Buffer.from(text))), text);
    }
    assert.deepEqual(plain.decode("t", Buffer.from('{"a":007,"b":"007","c":1.005}')).value, {
      a: 7,
      b: "007",
      c: 1.005,
    });
    assert.deepEqual(toPlain(plain.decode("t", Buffer.from('{"a":[10.0]}'))).value, { a: [10] });
  });

  it("takes no text at all for nothing", () => {
    assert.deepEqual(plain.decode("t", Buffer.from(" ")), { schema: null, value: null });
  });

  it("writes control characters as Jackson does", () => {
    assert.equal(plain.encode("t", { schema: null, value: "\u001b\\u001b\n" }), '"\\u001B\\\\u001b\\n"');
  });

  it("takes null bytes for nothing, and writes nothing as null bytes", () => {
    assert.deepEqual(plain.decode("t", null), { schema: null, value: null });
    assert.equal(plain.encode("t", { schema: null, value: null }), null);
  });

  it("writes a null with an optional schema as the word null", () => {
    assert.equal(plain.encode("t", { schema: OPTIONAL_STRING_SCHEMA, value: null }), "null");
    assert.throws(() => plain.encode("t", { schema: STRING_SCHEMA, value: null }), DataError);
  });

  it("writes bytes as base64 and maps as objects", () => {
    assert.equal(plain.encode("t", { schema: null, value: Buffer.from([0, 255]) }), '"AP8="');
    assert.equal(plain.encode("t", { schema: null, value: new Map([["a", 1n]]) }), '{"a":1}');
    assert.equal(plain.encode("t", { schema: null, value: new Map<Value, Value>([[1, "x"]]) }), '[[1,"x"]]');
  });

  it("refuses what is not JSON", () => {
    for (const text of ["{", "nul", "1 2"]) assert.throws(() => plain.decode("t", Buffer.from(text)), DataError);
    assert.throws(() => plain.decode("t", Buffer.from([0x22, 0xff, 0x22])), DataError);
  });
});

describe("json converter with schemas", () => {
  const struct = structSchema({ id: INT64_SCHEMA, name: optional(STRING_SCHEMA), price: FLOAT64_SCHEMA });
  const rows: readonly [string, Schema, Value, string][] = [
    ["boolean", BOOLEAN_SCHEMA, true, '{"schema":{"type":"boolean","optional":false},"payload":true}'],
    ["int8", INT8_SCHEMA, -5, '{"schema":{"type":"int8","optional":false},"payload":-5}'],
    ["int64", INT64_SCHEMA, 2n ** 62n, '{"schema":{"type":"int64","optional":false},"payload":4611686018427387904}'],
    ["float", FLOAT32_SCHEMA, Math.fround(0.1), '{"schema":{"type":"float","optional":false},"payload":0.1}'],
    ["double", FLOAT64_SCHEMA, 1, '{"schema":{"type":"double","optional":false},"payload":1.0}'],
    ["NaN", FLOAT64_SCHEMA, Number.NaN, '{"schema":{"type":"double","optional":false},"payload":"NaN"}'],
    ["string", STRING_SCHEMA, "x", '{"schema":{"type":"string","optional":false},"payload":"x"}'],
    ["bytes", BYTES_SCHEMA, Buffer.from([1]), '{"schema":{"type":"bytes","optional":false},"payload":"AQ=="}'],
    [
      "array",
      arraySchema(INT32_SCHEMA),
      [1, 2],
      '{"schema":{"type":"array","items":{"type":"int32","optional":false},"optional":false},"payload":[1,2]}',
    ],
    [
      "map with string keys",
      mapSchema(STRING_SCHEMA, INT32_SCHEMA),
      new Map([["a", 1]]),
      '{"schema":{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"int32","optional":false},"optional":false},"payload":{"a":1}}',
    ],
    [
      "map with other keys",
      mapSchema(INT32_SCHEMA, STRING_SCHEMA),
      new Map([[1, "a"]]),
      '{"schema":{"type":"map","keys":{"type":"int32","optional":false},"values":{"type":"string","optional":false},"optional":false},"payload":[[1,"a"]]}',
    ],
    [
      "struct",
      struct,
      { id: 1n, name: null, price: 2 },
      '{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":true,"field":"name"},{"type":"double","optional":false,"field":"price"}],"optional":false},"payload":{"id":1,"name":null,"price":2.0}}',
    ],
    [
      "decimal",
      decimal,
      fromUnscaled(-120n),
      '{"schema":{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}},"payload":"iA=="}',
    ],
  ];
  for (const [what, schema, value, text] of rows) {
    it(`writes and reads ${what}`, () => {
      assert.equal(enveloped.encode("t", { schema, value }), text);
      assert.deepEqual(enveloped.decode("t", Buffer.from(text)), { schema, value });
    });
  }

  it("writes all attributes of a schema, in Java's order", () => {
    const schema: Schema = {
      type: "INT32",
      optional: true,
      name: "n",
      version: 3,
      doc: "d",
      parameters: { p: "q" },
      default: 7,
    };
    const text =
      '{"schema":{"type":"int32","optional":true,"name":"n","version":3,"doc":"d","parameters":{"p":"q"},"default":7},"payload":7}';
    assert.equal(enveloped.encode("t", { schema, value: null }), text);
    assert.deepEqual(enveloped.decode("t", Buffer.from(text)).schema, schema);
  });

  it("keeps null where a default is not to replace it", () => {
    const converter = compile({ "replace.null.with.default": "false" });
    const schema: Schema = { type: "INT32", optional: true, default: 7 };
    assert.match(String(converter.encode("t", { schema, value: null })), /"payload":null}$/);
  });

  it("writes decimals as numbers if told so, and reads both forms", () => {
    const numeric = compile({ "decimal.format": "NUMERIC" });
    const text = String(numeric.encode("t", { schema: decimal, value: fromUnscaled(-120n) }));
    assert.match(text, /"payload":-1\.20}$/);
    assert.deepEqual(enveloped.decode("t", Buffer.from(text)).value, fromUnscaled(-120n));
  });

  it("reads schemaless payloads", () => {
    const text = '{"schema":null,"payload":{"a":1}}';
    assert.deepEqual(enveloped.decode("t", Buffer.from(text)), { schema: null, value: { a: 1 } });
    assert.equal(enveloped.encode("t", { schema: null, value: { a: 1 } }), text);
  });

  it("refuses anything but the envelope, payloads that do not fit, and values of another type", () => {
    for (const text of ['{"a":1}', "5", '{"schema":null,"payload":1,"more":2}', '{"payload":1}']) {
      assert.throws(() => enveloped.decode("t", Buffer.from(text)), /requires "schema" and "payload" fields/);
    }
    assert.throws(
      () => enveloped.decode("t", Buffer.from('{"schema":{"type":"what"},"payload":1}')),
      /Unknown schema type: what/,
    );
    assert.throws(() => enveloped.encode("t", { schema: INT64_SCHEMA, value: 1 }), DataError);
  });

  it("reads a payload of another kind as Java does: zero of a number, null of text", () => {
    const read = (type: string, payload: string, isOptional = false) =>
      enveloped.decode("t", Buffer.from(`{"schema":{"type":"${type}","optional":${isOptional}},"payload":${payload}}`))
        .value;
    assert.deepEqual(
      [read("int32", '"x"'), read("int8", "300"), read("int64", "1.9"), read("double", "true"), read("boolean", "1")],
      [0, 44, 1n, 0, false],
    );
    assert.equal(read("string", "5", true), null);
    assert.throws(() => read("struct", "5"), DataError);
  });

  it("takes whatever follows a known start for the payload, and only what is one", () => {
    const start = '{"schema":{"type":"int32","optional":false},"payload":';
    const converter = compile({});
    const read = (text: string) => converter.decode("t", Buffer.from(text)).value;
    assert.deepEqual([read(`${start}1}`), read(`${start}2}`), read(`${start} 3 }`), read(`${start}4} `)], [1, 2, 3, 4]);
    assert.throws(() => read(`${start}1,"more":2}`), /may not contain additional fields/);
    assert.throws(() => read(`${start}1]`), DataError);
    assert.equal(read('{"schema":{"type":"string","optional":false},"payload":"x"}'), "x");
    const tricky = '{"schema":{"type":"string","optional":false,"doc":",\\"payload\\":"},"payload":"y"}';
    assert.deepEqual([read(tricky), read(tricky)], ["y", "y"]);
  });

  it("reads decimals of any length", () => {
    const schema =
      '{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"5"}}';
    for (let times = 0; times < 2; times += 1) {
      const text = `{"schema":${schema},"payload":12345678901234567890.12345}`;
      assert.deepEqual(enveloped.decode("t", Buffer.from(text)).value, fromUnscaled(1234567890123456789012345n));
    }
  });

  it("takes a fixed schema for all messages", () => {
    const fixed = compile({ "schema.content": '{"type":"int64","optional":true}' });
    assert.deepEqual(fixed.decode("t", Buffer.from("7")), { schema: optional(INT64_SCHEMA), value: 7n });
    const wrong = jsonConverter.config.safeParse({ "schema.content": '{"type":"what"}' });
    assert.equal(wrong.error?.issues[0]?.message, "schema.content: Unknown schema type: what");
  });
});
