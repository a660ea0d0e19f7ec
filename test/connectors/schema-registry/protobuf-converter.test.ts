import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { protobufConverter } from "@headrace/schema-registry";
import {
  arraySchema,
  BOOLEAN_SCHEMA,
  BYTES_SCHEMA,
  DATE_SCHEMA,
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
  structSchema,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
  withAttributes,
} from "@headrace/sdk";
import { compileFor, decoded, encoded } from "./converting.ts";
import { type FakeRegistry, openFakeRegistry } from "./fake-registry.ts";

const NAMESPACE = "io.confluent.connect.protobuf";
const COLOR: Schema = {
  type: "STRING",
  optional: true,
  name: "Color",
  parameters: { [`${NAMESPACE}.Enum`]: "Color", [`${NAMESPACE}.Enum.RED`]: "0", [`${NAMESPACE}.Enum.BLUE`]: "5" },
};
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
    bytes: BYTES_SCHEMA,
    price: decimalSchema(2),
    day: DATE_SCHEMA,
    time: TIME_SCHEMA,
    at: TIMESTAMP_SCHEMA,
    color: COLOR,
    list: arraySchema(STRING_SCHEMA),
    numbers: arraySchema(INT32_SCHEMA),
    map: { ...mapSchema(STRING_SCHEMA, INT64_SCHEMA), name: "counts" },
    inner: optional(structSchema({ a: INT32_SCHEMA }, "com.acme.Inner")),
    inners: arraySchema(structSchema({ a: INT32_SCHEMA }, "com.acme.Inner")),
  },
  "com.acme.Everything",
);
const VALUE: Value = {
  i8: -128,
  i16: 32_767,
  i32: -(2 ** 31),
  i64: -(2n ** 63n),
  f32: 1.5,
  f64: 0.1,
  yes: true,
  text: `ü${"x".repeat(200)}`,
  bytes: Buffer.from([1, 255]),
  price: fromUnscaled(-12_345n),
  day: -1,
  time: 86_399_999,
  at: -1n,
  color: "BLUE",
  list: ["", "a"],
  numbers: [0, -1, 300],
  map: new Map([
    ["", 0n],
    ["k", 2n ** 40n],
  ]),
  inner: { a: 1 },
  inners: [{ a: 0 }, { a: 7 }],
};
const NULLS = { color: null, inner: null };
const ZERO: Value = {
  ...(VALUE as Record<string, Value>),
  ...NULLS,
  i8: 0,
  i16: 0,
  i32: 0,
  i64: 0n,
  f32: 0,
  f64: 0,
  yes: false,
  text: "",
  bytes: Buffer.alloc(0),
  price: fromUnscaled(0n),
  day: 0,
  time: 0,
  at: 0n,
  list: [],
  numbers: [],
  map: new Map(),
  inners: [],
};

describe("protobuf converter", () => {
  let registry: FakeRegistry;
  before(async () => {
    registry = await openFakeRegistry();
  });
  after(() => registry.close());
  const compile = (config: Record<string, string> = {}) => compileFor(protobufConverter, registry.url, config);
  const textOf = async (payload: Buffer | null): Promise<string> => {
    const stored = await fetch(`${registry.url}/schemas/ids/${payload?.readInt32BE(1)}`);
    const { schema } = (await stored.json()) as { readonly schema: string };
    return schema;
  };
  /** Writes a value, reads it back with the same settings, and gives what came of it. */
  async function there(schema: Schema, value: Value, config: Record<string, string> = {}, topic = "there") {
    const payload = await encoded(compile(config), topic, { schema, value });
    return { payload, text: await textOf(payload), back: await decoded(compile(config), topic, payload) };
  }

  it("carries data there and back", async () => {
    for (const [name, value] of Object.entries({ VALUE, ZERO })) {
      const { back } = await there(EVERYTHING, value);
      const expected = { ...(value as Record<string, Value>), color: name === "ZERO" ? "RED" : "BLUE" };
      assert.deepEqual(back.value, expected, name);
    }
  });

  it("writes the schema as Confluent's converter does", async () => {
    const { text } = await there(EVERYTHING, VALUE);
    assert.equal(
      text,
      `syntax = "proto3";
package com.acme;

import "confluent/type/decimal.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
import "google/protobuf/timestamp.proto";

message Everything {
  int32 i8 = 1 [(confluent.field_meta) = {
    params: [
      {
        key: "connect.type",
        value: "int8"
      }
    ]
  }];
  int32 i16 = 2 [(confluent.field_meta) = {
    params: [
      {
        key: "connect.type",
        value: "int16"
      }
    ]
  }];
  int32 i32 = 3;
  int64 i64 = 4;
  float f32 = 5;
  double f64 = 6;
  bool yes = 7;
  string text = 8;
  bytes bytes = 9;
  confluent.type.Decimal price = 10 [(confluent.field_meta) = {
    params: [
      {
        value: "2",
        key: "scale"
      }
    ]
  }];
  google.type.Date day = 11;
  google.type.TimeOfDay time = 12;
  google.protobuf.Timestamp at = 13;
  Color color = 14;
  repeated string list = 15;
  repeated int32 numbers = 16;
  repeated countsEntry map = 17;
  Inner inner = 18;
  repeated Inner inners = 19;

  message countsEntry {
    string key = 1;
    int64 value = 2;
  }
  message Inner {
    int32 a = 1;
  }
  enum Color {
    RED = 0;
    BLUE = 5;
  }
}
`,
    );
  });

  it("gives the Connect schema that Confluent's converter gives", async () => {
    const schema = structSchema(
      { id: INT64_SCHEMA, tags: arraySchema(STRING_SCHEMA), note: OPTIONAL_STRING_SCHEMA },
      "com.acme.Order",
    );
    const tagged = (type: Schema, number: number): Schema => ({
      ...optional(type),
      parameters: { [`${NAMESPACE}.Tag`]: String(number) },
    });
    const value = { id: 1n, tags: ["a"], note: null };
    const { back } = await there(schema, value, {}, "orders");
    const fields = {
      id: tagged(INT64_SCHEMA, 1),
      tags: tagged(arraySchema(OPTIONAL_STRING_SCHEMA), 2),
      note: tagged(STRING_SCHEMA, 3),
    };
    assert.deepEqual(back.schema, { ...structSchema(fields, "Order"), version: 1 });
    // A text that is not there is an empty one, unless there is a way to tell.
    assert.deepEqual(back.value, { ...value, note: "" });

    const labelled = { "optional.for.nullables": "true", "enhanced.protobuf.schema.support": "true" };
    const byLabel = await there(schema, value, labelled, "labelled");
    assert.match(byLabel.text, /^ {2}optional string note = 3;$/m);
    assert.deepEqual(byLabel.back.value, value);
    assert.equal(byLabel.back.schema?.name, "com.acme.Order");
    assert.deepEqual(
      byLabel.back.schema?.fields?.map((field) => field.schema.optional),
      [false, true, true],
    );

    const wrapped = await there(schema, value, { "wrapper.for.nullables": "true" }, "wrapped");
    assert.match(wrapped.text, /^ {2}google\.protobuf\.StringValue note = 3;$/m);
    assert.deepEqual(wrapped.back.value, value);
    assert.deepEqual(
      wrapped.back.schema?.fields?.map((field) => field.schema.optional),
      [false, true, true],
    );
  });

  it("puts magic byte, id and the path of the message before the data", async () => {
    const schema = structSchema({ id: INT32_SCHEMA }, "One");
    const { payload } = await there(schema, { id: 5 });
    assert.equal(payload?.subarray(5).toString("hex"), "000805");
    const plain = await there(INT32_SCHEMA, 5, {}, "plain");
    // The fifth message of google/protobuf/wrappers.proto.
    assert.equal(plain.payload?.subarray(5).toString("hex"), "02080805");
    assert.deepEqual(plain.back, { schema: { type: "INT32", optional: false, version: 1 }, value: 5 });

    const text =
      'syntax = "proto3"; message A { message B { string x = 1; message C { int32 y = 1; } } } message D { bool z = 1; }';
    const id = registry.add("paths-value", text, { schemaType: "PROTOBUF" });
    const read = async (hex: string) => {
      const frame = Buffer.alloc(5);
      frame.writeInt32BE(id, 1);
      return (await decoded(compile(), "paths", Buffer.concat([frame, Buffer.from(hex, "hex")]))).value;
    };
    assert.deepEqual(await read("0400000a0178"), { x: "x" });
    assert.deepEqual(await read("060000000807"), { y: 7 });
    assert.deepEqual(await read("02020801"), { z: true });
    for (const [hex, message] of [
      ["", /list of indexes ends early/],
      ["04", /list of indexes ends early/],
      ["0204", /has no message 2/],
      ["ff01", /has -128 protobuf indexes/],
    ] as const) {
      await assert.rejects(read(hex), { name: "DataError", message }, hex);
    }
  });

  it("reads schemas of other writers: proto2, references, oneofs, maps, options", async () => {
    registry.add("address", 'syntax = "proto3"; package a.b; message Address { string city = 1; }', {
      schemaType: "PROTOBUF",
    });
    const text = `
      syntax = "proto2";
      package a;
      import "address.proto";
      import "google/protobuf/descriptor.proto";
      import "confluent/meta.proto";
      extend google.protobuf.FieldOptions { optional string hint = 50001; }
      message Person {
        required int32 id = 1 [(hint) = "x", (confluent.field_meta).params = { key: "connect.type" value: "int16" }];
        optional sint64 age = 2 [default = 7];
        optional b.Address home = 3;
        repeated fixed32 codes = 4;
        map<string, b.Address> others = 5;
        optional Kind kind = 6 [default = BIG];
        oneof contact { string mail = 7; uint32 phone = 8; b.Address post = 9; }
        oneof more { bool yes = 10; }
        enum Kind { SMALL = 1; BIG = 2; }
        reserved 100 to max;
      }`;
    const references = [{ name: "address.proto", subject: "address", version: 1 }];
    const id = registry.add("people-value", text, { schemaType: "PROTOBUF", references });
    const frame = Buffer.from([0, 0, 0, 0, id, 0]);
    const read = (hex: string, config = {}) =>
      decoded(compile(config), "people", Buffer.concat([frame, Buffer.from(hex.replaceAll(" ", ""), "hex")]));
    const { schema, value } = await read(
      "08ffff01 1003 1a030a0158 22080100000002000000 25ffffffff 2a08 0a016b 12030a0159 3007 40ffffffff0f 7a00",
    );
    assert.deepEqual(value, {
      contact_0: { mail: null, phone: 4_294_967_295n, post: null },
      more_1: null,
      id: 32_767,
      age: -2n,
      home: { city: "X" },
      codes: [1n, 2n, 4_294_967_295n],
      others: new Map([["k", { city: "Y" }]]),
      kind: null,
    });
    assert.equal(schema?.fields?.find((field) => field.name === "id")?.schema.type, "INT16");
    assert.equal(schema?.fields?.[0]?.schema.name, `${NAMESPACE}.Union.contact`);
    // The parts of a message that comes twice are put together, and of a oneof the last member counts.
    assert.deepEqual((await read("0801 1a030a0158 1a00 3a0178 4a00", { "generate.index.for.unions": "false" })).value, {
      contact: { mail: null, phone: null, post: { city: "" } },
      more: null,
      id: 1,
      age: null,
      home: { city: "X" },
      codes: [],
      others: new Map(),
      kind: null,
    });
    const flat = await read("0801 4005 5001", {
      "flatten.unions": "true",
      "optional.for.proto2": "false",
      "int.for.enums": "true",
      "generate.struct.for.nulls": "true",
    });
    assert.deepEqual(flat.value, {
      mail: null,
      phone: 5n,
      post: null,
      yes: true,
      id: 1,
      age: 7n,
      home: { city: "" },
      codes: [],
      others: new Map(),
      kind: 2,
    });
    await assert.rejects(read("1003"), { name: "DataError", message: "a.Person requires id, which the data lacks" });
  });

  /** Reads data with a schema that is not ours. */
  async function readAs(text: string, hex: string, config: Record<string, string> = {}): Promise<Value> {
    const id = registry.add("foreign-value", text, { schemaType: "PROTOBUF" });
    const frame = Buffer.alloc(6);
    frame.writeInt32BE(id, 1);
    const data = Buffer.from(hex.replaceAll(" ", ""), "hex");
    return (await decoded(compile(config), "foreign", Buffer.concat([frame, data]))).value;
  }

  it("reads maps whose entries have other numbers, and entries that lack something", async () => {
    const p3 = 'syntax = "proto3"; import "google/protobuf/timestamp.proto"; ';
    const entries = `${p3}message M { repeated KvEntry m = 1; message KvEntry { string key = 3; int32 value = 5; } }`;
    assert.deepEqual(await readAs(entries, "0a05 1a016b 2807"), { m: new Map([["k", 7]]) });
    const times = `${p3}message M { map<string, google.protobuf.Timestamp> m = 1; }`;
    assert.deepEqual(await readAs(times, "0a03 0a016b 0a00"), {
      m: new Map([
        ["k", 0n],
        ["", 0n],
      ]),
    });
    const messages = `${p3}message M { map<int32, I> m = 1; message I { int32 a = 1; } }`;
    assert.deepEqual(await readAs(messages, "0a02 0807"), { m: new Map([[7, { a: 0 }]]) });
  });

  it("gives a zero where neither data nor schema know a null", async () => {
    const text = 'syntax = "proto3"; message M { optional int32 a = 1; }';
    assert.deepEqual(await readAs(text, "", { "wrapper.for.nullables": "true" }), { a: 0 });
    assert.deepEqual(await readAs(text, ""), { a: null });
  });

  it("is not slowed down by messages that are in many others", async () => {
    const text = Array.from({ length: 60 }, (_, n) => `message M${n} { M${n + 1} a = 1; M${n + 1} b = 2; } `).join("");
    const value = await readAs(`syntax = "proto3"; ${text} message M60 { int32 x = 1; }`, "0a00");
    assert.deepEqual(value, { a: { a: null, b: null }, b: null });
  });

  it("keeps nulls in maps where it can", async () => {
    const inner = optional(structSchema({ a: INT32_SCHEMA }, "Inner"));
    const texts = structSchema({ m: { ...mapSchema(STRING_SCHEMA, OPTIONAL_STRING_SCHEMA), name: "m" } }, "Texts");
    const structs = structSchema({ m: { ...mapSchema(STRING_SCHEMA, inner), name: "m" } }, "Structs");
    const nothing = { m: new Map([["k", null]]) };
    const cases: readonly (readonly [Schema, Record<string, string>])[] = [
      [texts, { "optional.for.nullables": "true" }],
      [texts, { "wrapper.for.nullables": "true" }],
      [structs, {}],
    ];
    for (const [index, [schema, config]] of cases.entries()) {
      const { back } = await there(schema, nothing, config, `nulls-${index}`);
      assert.deepEqual(back.value, nothing, JSON.stringify(config));
    }
  });

  it("carries unions as oneofs, with the numbers of their tags", async () => {
    const member = (type: Schema, tag: number): Schema => ({
      ...optional(type),
      parameters: { [`${NAMESPACE}.Tag`]: String(tag) },
    });
    const union: Schema = {
      ...structSchema({ text: member(STRING_SCHEMA, 9), number: member(INT32_SCHEMA, 2) }, `${NAMESPACE}.Union.choice`),
      optional: true,
    };
    const schema = structSchema({ choice_0: union, id: member(INT64_SCHEMA, 3) }, "Chosen");
    for (const choice_0 of [{ text: "x", number: null }, { text: null, number: 0 }, null]) {
      const { back, text } = await there(schema, { choice_0, id: 1n }, {}, "chosen");
      assert.deepEqual(back.value, { choice_0, id: 1n });
      assert.match(text, /oneof choice \{\n {4}string text = 9;\n {4}int32 number = 2;\n {2}\}/);
    }
    await assert.rejects(
      there(schema, { choice_0: { text: null, number: null }, id: 1n }, {}, "chosen"),
      /no member of the union is set/,
    );
  });

  it("writes with the subject's latest schema, fields matched by name", async () => {
    const latest = { "auto.register.schemas": "false", "use.latest.version": "true" };
    registry.add(
      "late-value",
      'syntax = "proto3"; message Other {} message Order { string note = 7; int64 id = 3; bool more = 1; }',
      { schemaType: "PROTOBUF" },
    );
    const schema = structSchema({ id: INT32_SCHEMA, gone: STRING_SCHEMA, note: STRING_SCHEMA }, "Order");
    const payload = await encoded(compile(latest), "late", { schema, value: { id: 2, gone: "g", note: "n" } });
    assert.equal(payload?.subarray(5).toString("hex"), "020218023a016e");
    const unknown = { ...schema, name: "Unknown" };
    await assert.rejects(encoded(compile(latest), "late", { schema: unknown, value: { id: 2, gone: "", note: "" } }), {
      name: "DataError",
      message: "the subject's latest schema has no message Unknown",
    });
  });

  it("refuses data that the subject's latest schema does not admit", async () => {
    const latest = { "auto.register.schemas": "false", "use.latest.version": "true" };
    registry.add(
      "strict-value",
      `syntax = "proto2"; import "google/protobuf/timestamp.proto";
       message At { optional google.protobuf.Timestamp at = 1; }
       message Must { required string text = 1; optional Kind kind = 2; enum Kind { SMALL = 1; } }`,
      { schemaType: "PROTOBUF" },
    );
    const kind: Schema = { ...COLOR, type: "INT32" };
    const cases: readonly (readonly [Schema, Value, RegExp])[] = [
      [structSchema({ at: DATE_SCHEMA }, "At"), { at: 1 }, /INT32 of Connect does not fit at, which is google/],
      [structSchema({ text: OPTIONAL_STRING_SCHEMA }, "Must"), { text: null }, /text: null used for a required STRING/],
      [structSchema({ text: STRING_SCHEMA, kind }, "Must"), { text: "", kind: 7 }, /kind: 7 is no value of Must.Kind/],
    ];
    for (const [schema, value, message] of cases) {
      await assert.rejects(encoded(compile(latest), "strict", { schema, value }), { name: "DataError", message });
    }
  });

  it("names subjects by messages, and keeps ids", async () => {
    const schema = structSchema({ id: INT32_SCHEMA }, "com.acme.Named");
    const converter = compile({
      "value.subject.name.strategy": "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy",
    });
    await encoded(converter, "t", { schema, value: { id: 1 } });
    assert.equal(registry.requests.at(-1), "POST /subjects/t-com.acme.Named/versions");
    const asked = registry.requests.length;
    await encoded(converter, "t", { schema, value: { id: 2 } });
    assert.equal(registry.requests.length, asked);
  });

  it("keeps defaults, and integers of any size", async () => {
    const schema = structSchema(
      {
        a: withAttributes(INT32_SCHEMA, { default: 3 }),
        b: withAttributes(OPTIONAL_STRING_SCHEMA, { default: 'say "hi"\n' }),
        c: { ...INT64_SCHEMA, parameters: { [`${NAMESPACE}.Type`]: "uint64" } },
        d: { ...INT64_SCHEMA, parameters: { [`${NAMESPACE}.Type`]: "sfixed64" } },
        e: { ...INT64_SCHEMA, parameters: { [`${NAMESPACE}.Type`]: "fixed32" } },
        f: { ...INT32_SCHEMA, parameters: { [`${NAMESPACE}.Type`]: "sint32" } },
      },
      "Sizes",
    );
    const { back, text, payload } = await there(
      schema,
      { a: 3, b: null, c: -1n, d: -5n, e: 4_000_000_000n, f: -3 },
      {},
      "sizes",
    );
    assert.match(text, /^ {2}string b = 2 \[default = "say \\"hi\\"\\n"\];$/m);
    assert.deepEqual(back.value, { a: 3, b: 'say "hi"\n', c: -1n, d: -5n, e: 4_000_000_000n, f: -3 });
    assert.equal(payload?.subarray(6).toString("hex"), "18ffffffffffffffffff0121fbffffffffffffff2d00286bee3005");
    await assert.rejects(
      there(schema, { a: 0, b: null, c: 0n, d: 0n, e: -1n, f: 0 }, {}, "sizes"),
      /field e: -1 does not fit fixed32/,
    );
    await assert.rejects(
      there(schema, { a: 0, b: null, c: 2n ** 64n, d: 0n, e: 0n, f: 0 }, {}, "sizes"),
      /field c: Invalid type for INT64/,
    );
  });

  it("writes what has a default that other parsers do not read exactly", async () => {
    const schema = structSchema({ a: withAttributes(optional(INT64_SCHEMA), { default: 2n ** 60n + 1n }) }, "Large");
    for (const a of [2n ** 60n + 1n, null, 5n]) {
      const { back } = await there(schema, { a }, {}, "large");
      assert.deepEqual(back.value, { a: a ?? 2n ** 60n + 1n });
    }
  });

  it("names the types of other packages in full, whatever its own is", async () => {
    const { text } = await there(structSchema({ d: decimalSchema(0) }, "confluent.Price"), { d: fromUnscaled(1n) });
    assert.match(text, /^ {2}confluent\.type\.Decimal d = 1/m);
  });

  it("scrubs names if asked, and refuses them otherwise", async () => {
    const schema = structSchema({ "a-b é": INT32_SCHEMA, _x: INT32_SCHEMA, "9": INT32_SCHEMA }, "com.1a.S c");
    const { text, back } = await there(
      schema,
      { "a-b é": 1, _x: 2, "9": 3 },
      { "scrub.invalid.names": "true" },
      "scrubbed",
    );
    assert.match(text, /^package com\.x1a;$/m);
    assert.deepEqual(back.value, { a_b__C3_A9: 1, x_x: 2, x9: 3 });
    assert.equal(back.schema?.name, "S_c");
    await assert.rejects(there(schema, {}), { name: "DataError", message: /"1a" is no protobuf name/ });
  });

  it("refuses a number beyond the int8 or int16 that connect.type says, and reads those at its bounds", async () => {
    const typed = (type: string) => `[(confluent.field_meta).params = { key: "connect.type" value: "${type}" }]`;
    const text = `syntax = "proto3"; import "confluent/meta.proto"; message Small {
      int32 a = 1 ${typed("int8")}; sint32 b = 2 ${typed("int16")}; sfixed32 c = 3 ${typed("int8")}; repeated int32 d = 4 ${typed("int8")}; }`;
    const id = registry.add("small-value", text, { schemaType: "PROTOBUF" });
    const read = async (hex: string) => {
      const frame = Buffer.alloc(6);
      frame.writeInt32BE(id, 1);
      return (await decoded(compile(), "small", Buffer.concat([frame, Buffer.from(hex, "hex")]))).value;
    };
    const minus128 = "80ffffffffffffffff01";
    assert.deepEqual(await read(`087f10feff031d80ffffff2201${"7f"}`), { a: 127, b: 32767, c: -128, d: [127] });
    assert.deepEqual(await read(`08${minus128}`), { a: -128, b: 0, c: 0, d: [] });
    for (const [hex, message] of [
      ["088001", /field a: 128 does not fit int8/],
      ["10808004", /field b: 32768 does not fit int16/],
      ["1d7fffffff", /field c: -129 does not fit int8/],
      ["2202ac02", /field d: 300 does not fit int8/],
    ] as const) {
      await assert.rejects(read(hex), { name: "DataError", message }, hex);
    }
  });

  it("refuses what has no protobuf form, as an error of the record", async () => {
    const struct = (field: Schema) => structSchema({ f: field }, "R");
    const cases: readonly (readonly [Schema, Value, RegExp])[] = [
      [arraySchema(INT32_SCHEMA), [1], /a ARRAY has no protobuf type unless it is in a struct/],
      [decimalSchema(2), fromUnscaled(1n), /Decimal has no protobuf type unless/],
      [struct(arraySchema(arraySchema(INT32_SCHEMA))), { f: [[1]] }, /an array in an array/],
      [struct(arraySchema(OPTIONAL_STRING_SCHEMA)), { f: [null] }, /a null in an array/],
      [struct(INT32_SCHEMA), { f: null }, /field f: null used for a required INT32/],
      [struct(INT32_SCHEMA), { f: 2 ** 31 }, /field f: Invalid type for INT32/],
      [struct(INT8_SCHEMA), { f: 128 }, /field f: Invalid type for INT8/],
      [struct(STRING_SCHEMA), { f: 1 }, /field f: Invalid type for STRING/],
      [struct(DATE_SCHEMA), { f: 1.5 }, /a Date is no INT32/],
      [struct(TIME_SCHEMA), { f: Number.NaN }, /NaN ms is no time of day/],
      [struct(TIMESTAMP_SCHEMA), { f: 10n ** 15n }, /beyond a Timestamp's years/],
      [struct(COLOR), { f: "PINK" }, /field f: "PINK" is no value of R.Color/],
    ];
    for (const [schema, value, message] of cases) {
      await assert.rejects(there(schema, value, {}, "refused"), { name: "DataError", message }, String(message));
    }
    await assert.rejects(encoded(compile(), "t", { schema: null, value: { a: 1 } }), { name: "DataError" });
    assert.equal(await encoded(compile(), "t", { schema: OPTIONAL_STRING_SCHEMA, value: null }), null);
    assert.equal(await encoded(compile(), "t", { schema: null, value: null }), null);
    const faults = protobufConverter.config.safeParse({
      "schema.registry.url": registry.url,
      "generalized.sum.type.support": "true",
    });
    assert.deepEqual(
      faults.error?.issues.map((issue) => issue.path[0]),
      ["generalized.sum.type.support"],
    );
  });

  it("refuses schemas and data that are broken, and types that hold themselves", async () => {
    const p3 = 'syntax = "proto3"; ';
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [`${p3}message M {`, "", /the protobuf schema cannot be used/],
      [`${p3}message M { Missing m = 1; }`, "", /the protobuf schema cannot be used: no such/],
      [`${p3}import "gone.proto"; message M {}`, "", /imports gone\.proto, which it does not reference/],
      [`${p3}message M { M m = 1; }`, "", /M holds itself/],
      ['syntax = "proto2"; message M { optional group G = 1 { optional int32 a = 2; } }', "", /is a group/],
      [
        'edition = "2023"; message M { I i = 1 [features.message_encoding = DELIMITED]; message I { int32 a = 1; } }',
        "0b08070c",
        /M\.i is delimited as a group is/,
      ],
      [`${p3}message S { string s = 1; }`, "0a05", /ends early/],
      [`${p3}message S { string s = 1; }`, "0a01ff", /not UTF-8/],
      [`${p3}message S { string s = 1; }`, "00", /without a number/],
      [`${p3}message S { string s = 1; }`, "0f", /wire type 7/],
      [`${p3}message S { string s = 1; }`, "ffffffffffffffffffffff", /more than 10 bytes/],
      [`${p3}import "google/type/date.proto"; message D { google.type.Date d = 1; }`, "0a0408011002", /is no Date/],
      [
        `${p3}import "confluent/type/decimal.proto"; message D { confluent.type.Decimal d = 1; }`,
        "0a050a010f1802",
        /does not fit the schema's scale/,
      ],
    ];
    for (const [text, hex, message] of cases) {
      await assert.rejects(readAs(text, hex), { name: "DataError", message }, String(message));
    }
    const rescaled = `${p3}import "confluent/type/decimal.proto"; message D { confluent.type.Decimal d = 1 [(confluent.field_meta) = { params: [{ key: "scale", value: "3" }] }]; }`;
    assert.deepEqual(await readAs(rescaled, "0a050a01051801"), { d: fromUnscaled(500n) });
    // A message that cannot be used is no trouble to the others of its file.
    const mixed =
      'syntax = "proto2"; message S { optional string s = 1; } message G { repeated group P = 1 { optional int32 a = 2; } }';
    assert.deepEqual(await readAs(mixed, "0a0178"), { s: "x" });
    const extended =
      'syntax = "proto2"; message X { optional int32 a = 1; extensions 100 to 200; } extend X { optional string more = 100; }';
    assert.deepEqual(await readAs(extended, "0801a206016d"), { a: 1 });
    // What is not known, groups too, is passed over.
    assert.deepEqual(await readAs(`${p3}message S { string s = 1; }`, "1b23240a012a1c0a0178"), { s: "x" });
    assert.deepEqual(await readAs(`${p3}message E { enum K { A = 0; } K k = 1; }`, "0807"), {
      k: "UNKNOWN_ENUM_VALUE_K_7",
    });
  });
});
