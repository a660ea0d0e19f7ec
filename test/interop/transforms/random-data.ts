import type { Encoded, EncodedData, EncodedRecord } from "./cases.ts";
import type { JsonValue, Random } from "./random.ts";

/** Field names of generated structs and maps; transforms are configured with the same ones. */
export const FIELDS = ["a", "b", "c", "id", "ts", "a.b", "name", "constructor", "é"] as const;

const LOGICAL = "org.apache.kafka.connect.data.";

interface JsonSchema {
  readonly [member: string]: JsonValue;
}

const TEXTS = [
  "",
  "x",
  "12",
  "-7",
  "300",
  "1.5",
  "1e3",
  "true",
  "FALSE",
  "null",
  "2024-02-29",
  'ä"\\\n',
  "[1,2]",
  '{"a":1}',
  " 5",
  "9999999999",
  "2024-02-29T01:02:03.004Z",
  "20240229",
];
const LONGS = [
  "0",
  "1",
  "-1",
  "127",
  "128",
  "-129",
  "65536",
  "2147483648",
  "1709168523004",
  "-1",
  "9007199254740993",
  "9223372036854775807",
  "-9223372036854775808",
];
const DOUBLES = [
  "0.0",
  "-0.0",
  "1.0",
  "1.5",
  "-2.25",
  "100.0",
  "1.0E10",
  "1.0E-5",
  "3.5E20",
  "12345.678",
  "NaN",
  "Infinity",
  "-Infinity",
  "-1.0E300",
];
const FLOATS = ["0.0", "1.0", "0.1", "-2.5", "1.0E10", "3.4028235E38", "1.0E-5", "16777216", "NaN"];
const MILLIS = [
  "0",
  "1",
  "86399999",
  "86400000",
  "-1",
  "-86400001",
  "1709168523004",
  "951782400000",
  "253402300799999",
  "-62135769600000",
];
const DECIMALS = ["0", "1", "-1", "12345", "-99999999999999999999", "1000"];

const PRIMITIVES = ["int8", "int16", "int32", "int64", "float", "double", "boolean", "string", "bytes"] as const;
const LOGICALS = [
  { type: "bytes", name: `${LOGICAL}Decimal`, version: 1, parameters: { scale: "2" } },
  { type: "bytes", name: `${LOGICAL}Decimal`, version: 1, parameters: { scale: "0" } },
  { type: "int32", name: `${LOGICAL}Date`, version: 1 },
  { type: "int32", name: `${LOGICAL}Time`, version: 1 },
  { type: "int64", name: `${LOGICAL}Timestamp`, version: 1 },
] as const;

/** A schema; `depth` bounds nesting. */
export function randomSchema(random: Random, depth: number): JsonSchema {
  const choice = random.next();
  const optional = random.chance(0.5);
  if (choice < 0.55 || depth === 0) {
    const type = random.pick(PRIMITIVES);
    return { type, optional, ...extras(random), ...defaultOf(random, type) };
  }
  if (choice < 0.75) return { ...random.pick(LOGICALS), optional };
  if (choice < 0.82) return { type: "array", items: randomSchema(random, depth - 1), optional };
  if (choice < 0.87) {
    const keys = { type: random.pick(["string", "int32"]), optional: false };
    return { type: "map", keys, values: randomSchema(random, depth - 1), optional };
  }
  return structSchema(random, depth - 1, optional);
}

function structSchema(random: Random, depth: number, optional: boolean): JsonSchema {
  const names = [...new Set(random.list(5, () => random.pick(FIELDS)))];
  const fields = names.map((field) => ({ ...randomSchema(random, depth), field }));
  return { type: "struct", fields, optional, ...extras(random) };
}

function extras(random: Random): JsonSchema {
  if (random.chance(0.85)) return {};
  return {
    ...(random.chance(0.5) && { name: "org.example.Name" }),
    ...(random.chance(0.5) && { version: 1 + random.int(3) }),
    ...(random.chance(0.5) && { doc: "what it is" }),
    ...(random.chance(0.3) && { parameters: { p: "q", r: "s" } }),
  };
}

function defaultOf(random: Random, type: (typeof PRIMITIVES)[number]): JsonSchema {
  if (random.chance(0.8)) return {};
  switch (type) {
    case "boolean":
      return { default: true };
    case "string":
      return { default: "42" };
    case "bytes":
      return { default: "AQI=" };
    case "float":
    case "double":
      return { default: 2.5 };
    default:
      return { default: 42 };
  }
}

/** A value of a schema; null now and then where the schema admits it, in a struct also where it has a default. */
export function randomValue(random: Random, schema: JsonSchema, inStruct = false): Encoded {
  const hasDefault = schema["default"] !== undefined;
  if ((schema["optional"] === true || (inStruct && hasDefault)) && random.chance(0.2)) return null;
  switch (schema["name"]) {
    case `${LOGICAL}Decimal`:
      return { dec: random.pick(DECIMALS) };
    case `${LOGICAL}Date`:
      return { date: String((random.int(40_000) - 10_000) * 86_400_000) };
    case `${LOGICAL}Time`:
      return { date: String(random.int(86_400_000)) };
    case `${LOGICAL}Timestamp`:
      return { date: random.pick(MILLIS) };
    default:
      return randomPlain(random, schema);
  }
}

function randomPlain(random: Random, schema: JsonSchema): Encoded {
  switch (schema["type"]) {
    case "int8":
      return { i8: random.int(256) - 128 };
    case "int16":
      return { i16: random.int(65_536) - 32_768 };
    case "int32":
      return { i32: random.int(2 ** 32) - 2 ** 31 };
    case "int64":
      return { i64: random.pick(LONGS) };
    case "float":
      return { f32: random.pick(FLOATS) };
    case "double":
      return { f64: random.pick(DOUBLES) };
    case "boolean":
      return { b: random.chance(0.5) };
    case "string":
      return { s: random.pick(TEXTS) };
    case "bytes":
      return { y: random.pick(["", "AA==", "/wEC"]) };
    case "array":
      return { a: random.list(3, () => randomValue(random, nested(schema["items"]))) };
    case "map": {
      // One entry: Java's hash maps have an order of their own.
      const pair = () => [randomPlain(random, nested(schema["keys"])), randomValue(random, nested(schema["values"]))];
      return { m: random.list(1, pair) };
    }
    default: {
      const fields = schema["fields"];
      if (!Array.isArray(fields)) throw new Error("a struct without fields");
      return { st: fields.map((field: JsonValue) => randomValue(random, nested(field), true)) };
    }
  }
}

function nested(schema: JsonValue | undefined): JsonSchema {
  if (schema === null || schema === undefined || typeof schema !== "object" || Array.isArray(schema)) {
    throw new Error("a schema was expected");
  }
  return schema as JsonSchema;
}

/** Schemaless data as JsonConverter reads it: integers are longs, fractions doubles. */
export function randomSchemaless(random: Random, depth: number, atMost = 5): Encoded {
  const choice = random.int(depth > 0 ? 10 : 7);
  switch (choice) {
    case 0:
      return null;
    case 1:
      return { i64: random.pick(LONGS) };
    case 2:
      return { f64: random.pick(DOUBLES) };
    case 3:
      return { b: random.chance(0.5) };
    case 4:
    case 5:
      return { s: random.pick(TEXTS) };
    case 6:
      return random.chance(0.3) ? { y: "AQI=" } : { i64: random.pick(MILLIS) };
    case 7:
      return { a: random.list(3, () => randomSchemaless(random, depth - 1, atMost)) };
    default:
      return randomMap(random, depth - 1, atMost);
  }
}

function randomMap(random: Random, depth: number, atMost = 5): Encoded {
  const names = [...new Set(random.list(atMost, () => random.pick(FIELDS)))];
  return { m: names.map((name) => [{ s: name }, randomSchemaless(random, depth, atMost)]) };
}

/** A key or value: mostly structs and maps (schemaless ones of so many entries), and a bit of everything else. */
export function randomData(random: Random, atMost = 5): EncodedData {
  const choice = random.next();
  if (choice < 0.05) return { schema: null, value: null };
  if (choice < 0.35) return { schema: null, value: randomMap(random, 2, atMost) };
  if (choice < 0.42) return { schema: null, value: randomSchemaless(random, 1, atMost) };
  const schema = choice < 0.85 ? structSchema(random, 2, random.chance(0.5)) : randomSchema(random, 1);
  return { schema, value: randomValue(random, schema) };
}

export function randomRecord(random: Random): EncodedRecord {
  const offset = random.chance(0.4) ? null : random.int(1_000_000);
  return {
    topic: random.pick(["orders", "orders-eu", "a", "foo.bar", "t-1"]),
    partition: offset === null && random.chance(0.3) ? null : random.int(10),
    offset,
    timestamp: random.chance(0.2) ? null : Number(random.pick(MILLIS)),
    key: randomData(random),
    value: randomData(random),
    headers: random.list(2, () => ({
      key: random.pick(["h", "h2", "trace"]),
      schema: { type: "string", optional: true },
      value: { s: random.pick(TEXTS) },
    })),
  };
}
