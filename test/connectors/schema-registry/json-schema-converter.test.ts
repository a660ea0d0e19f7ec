import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { jsonSchemaConverter } from "@headrace/schema-registry";
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
  STRING_SCHEMA,
  structSchema,
  TIMESTAMP_SCHEMA,
  type Value,
  withAttributes,
} from "@headrace/sdk";
import { compileFor, decoded, encoded } from "./converting.ts";
import { type FakeRegistry, openFakeRegistry } from "./fake-registry.ts";

const SCHEMA = structSchema(
  {
    z: INT8_SCHEMA,
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
    at: TIMESTAMP_SCHEMA,
    list: arraySchema(OPTIONAL_STRING_SCHEMA),
    map: mapSchema(STRING_SCHEMA, INT32_SCHEMA),
    entries: mapSchema(INT32_SCHEMA, STRING_SCHEMA),
    inner: optional(structSchema({ a: INT32_SCHEMA }, "com.acme.Inner")),
  },
  "com.acme.Everything",
);
const VALUE: Value = {
  z: -128,
  i16: 1,
  i32: 2,
  i64: 2n ** 63n - 1n,
  f32: 1.5,
  f64: 0.1,
  yes: true,
  text: 'a"ü',
  maybe: null,
  defaulted: 8n,
  bytes: Buffer.from([1, 255]),
  price: fromUnscaled(-12345n),
  day: 19000,
  at: 1_700_000_000_000n,
  list: ["a", null],
  map: new Map([["k", 1]]),
  entries: new Map([[1, "one"]]),
  inner: { a: 1 },
};

describe("JSON Schema converter", () => {
  let registry: FakeRegistry;
  before(async () => {
    registry = await openFakeRegistry();
  });
  after(() => registry.close());
  const compile = (config = {}) => compileFor(jsonSchemaConverter, registry.url, config);

  it("carries schema and data there and back", async () => {
    for (const format of ["BASE64", "NUMERIC"]) {
      const converter = compile({ "decimal.format": format });
      const payload = await encoded(converter, `everything-${format}`, { schema: SCHEMA, value: VALUE });
      const back = await decoded(compile(), `everything-${format}`, payload);
      assert.deepEqual(back.value, VALUE);
      assert.deepEqual(back.schema, { ...SCHEMA, version: 1 });
    }
  });

  it("writes the schema as Confluent's converter does, and the data behind magic byte and id", async () => {
    const schema = structSchema({ id: INT64_SCHEMA, note: OPTIONAL_STRING_SCHEMA }, "com.acme.Order");
    const payload = await encoded(compile(), "orders", { schema, value: { id: 5n, note: null } });
    assert.equal(payload?.subarray(5).toString(), '{"id":5,"note":null}');
    const id = payload?.readInt32BE(1) ?? 0;
    const stored: unknown = await (await fetch(`${registry.url}/schemas/ids/${id}`)).json();
    assert.deepEqual(stored, {
      schemaType: "JSON",
      references: [],
      schema:
        '{"type":"object","properties":{"id":{"type":"integer","connect.type":"int64","connect.index":0},' +
        '"note":{"oneOf":[{"type":"null"},{"type":"string"}],"connect.index":1}},"title":"com.acme.Order"}',
    });
  });

  it("reads schemas of other writers, with references", async () => {
    registry.add("address", '{"type":"object","title":"Address","properties":{"city":{"type":"string"}}}', {
      schemaType: "JSON",
    });
    const text = JSON.stringify({
      type: "object",
      title: "Person",
      properties: { home: { $ref: "address.json" }, age: { type: "integer" }, tags: { $ref: "#/$defs/tags" } },
      required: ["home"],
      $defs: { tags: { type: ["array", "null"], items: { type: "string" } } },
    });
    const references = [{ name: "address.json", subject: "address", version: 1 }];
    const id = registry.add("people-value", text, { schemaType: "JSON", references });
    const payload = Buffer.concat([
      Buffer.from([0, 0, 0, 0, id]),
      Buffer.from('{"home":{"city":"X"},"age":3,"more":true}'),
    ]);
    const { schema, value } = await decoded(compile({ "use.optional.for.nonrequired": "true" }), "people", payload);
    assert.deepEqual(value, { home: { city: "X" }, age: 3n, tags: null });
    assert.equal(schema?.name, "Person");
    await assert.rejects(decoded(compile(), "people", Buffer.concat([payload.subarray(0, 5), Buffer.from("{}")])), {
      name: "DataError",
      message: "value.home is null or not there, but required",
    });
  });

  it("reads decimals and integers of any length exactly", async () => {
    const schema = structSchema({ price: decimalSchema(2), count: INT64_SCHEMA, ratio: FLOAT64_SCHEMA }, "Long");
    const converter = compile({ "decimal.format": "NUMERIC" });
    for (const unscaled of [123_456_789_012_345_678n, -900_719_925_474_099_250n, 10n ** 30n + 1n, 5n]) {
      const value = { price: fromUnscaled(unscaled), count: 2n ** 63n - 1n, ratio: 0.12345678901234568 };
      const payload = await encoded(converter, "long", { schema, value });
      assert.deepEqual((await decoded(converter, "long", payload)).value, value, String(unscaled));
    }
    const loose = await encoded(converter, "loose-long", { schema: null, value: { a: 0.12345678901234568 } });
    assert.deepEqual((await decoded(converter, "loose-long", loose)).value, { a: 0.12345678901234568 });
  });

  it("keeps no more ids than schemas.cache.config", async () => {
    const converter = compile({ "schemas.cache.config": "1" });
    const asked = registry.requests.length;
    for (const topic of ["one", "two", "one", "one"]) {
      await encoded(converter, topic, { schema: INT32_SCHEMA, value: 1 });
    }
    assert.equal(registry.requests.length - asked, 3);
  });

  it("keeps to nulls and to data without a schema, and refuses what does not fit", async () => {
    const converter = compile();
    assert.equal(await encoded(converter, "t", { schema: OPTIONAL_STRING_SCHEMA, value: null }), null);
    const loose = await encoded(converter, "loose", { schema: null, value: { a: [1, "x", null] } });
    assert.deepEqual(await decoded(converter, "loose", loose), { schema: null, value: { a: [1, "x", null] } });
    await assert.rejects(encoded(converter, "t", { schema: INT32_SCHEMA, value: "x" }), { name: "DataError" });
    const id = registry.add("bytes-value", '{"type":"string","connect.type":"bytes"}', { schemaType: "JSON" });
    for (const text of ['"*QI="', '"AQI"', '"A=I="']) {
      const payload = Buffer.concat([Buffer.from([0, 0, 0, 0, id]), Buffer.from(text)]);
      await assert.rejects(decoded(converter, "bytes", payload), /value does not fit BYTES/);
    }
    const recursive =
      '{"type":"object","properties":{"next":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"object","properties":{"n":{"$ref":"#/$defs/n"}}}}}';
    const loop = registry.add("r-value", recursive, { schemaType: "JSON" });
    await assert.rejects(
      decoded(converter, "r", Buffer.concat([Buffer.from([0, 0, 0, 0, loop]), Buffer.from("{}")])),
      /holds itself/,
    );
  });
});
