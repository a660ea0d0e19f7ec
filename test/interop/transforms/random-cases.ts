import type { Case, EncodedRecord } from "./cases.ts";
import type { Random } from "./random.ts";
import { FIELDS, randomData, randomRecord } from "./random-data.ts";

type Config = Readonly<Record<string, string>>;

const PACKAGE = "org.apache.kafka.connect.transforms";
const TYPES = ["int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string"];
const FORMATS = [
  "yyyy-MM-dd",
  "yyyyMMdd",
  "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
  "HH:mm",
  "EEE, d MMM yyyy h:mm a",
  "yy-M-d H:m:s.S",
  "D yyyy",
  "dd/MM/yyyy HH:mm:ss Z",
  "G yyyy w u",
  "YYYY-'W'ww",
];

const fields = (random: Random) => [...new Set([random.pick(FIELDS), ...random.list(2, () => random.pick(FIELDS))])];
const bool = (random: Random) => String(random.chance(0.7));

function sided(random: Random, name: string): string {
  return `${PACKAGE}.${name}$${random.chance(0.25) ? "Key" : "Value"}`;
}

/** A field that a record really has, mostly. */
function present(random: Random, records: readonly EncodedRecord[]): string {
  const text = JSON.stringify(records[0]?.value);
  const known = FIELDS.filter((field) => text.includes(`"${field}"`));
  return known.length > 0 && random.chance(0.8) ? random.pick(known) : random.pick(FIELDS);
}

type Maker = (random: Random, records: readonly EncodedRecord[]) => { readonly class: string; readonly config: Config };

const TRANSFORMS: Readonly<Record<string, Maker>> = {
  Cast: (random, records) => {
    const whole = random.chance(0.3);
    const spec = whole
      ? random.pick(TYPES)
      : [...new Set([present(random, records), ...fields(random)])]
          .map((field) => `${field}:${random.pick(TYPES)}`)
          .join(",");
    return { class: sided(random, "Cast"), config: { spec, "replace.null.with.default": bool(random) } };
  },
  DropHeaders: (random) => ({
    class: `${PACKAGE}.DropHeaders`,
    config: { headers: random.pick(["h", "h, h2", "none", "h,h", ""]) },
  }),
  ExtractField: (random, records) => {
    const path = random.chance(0.4) ? `${present(random, records)}.${random.pick(FIELDS)}` : present(random, records);
    const field = random.chance(0.1) ? `\`${path}\`` : path;
    const config = {
      field,
      "field.syntax.version": random.pick(["V1", "V2", "v2"]),
      "replace.null.with.default": bool(random),
    };
    return { class: sided(random, "ExtractField"), config };
  },
  Filter: () => ({ class: `${PACKAGE}.Filter`, config: {} }),
  Flatten: (random) => ({ class: sided(random, "Flatten"), config: random.chance(0.5) ? {} : { delimiter: "_" } }),
  HeaderFrom: (random, records) => {
    const names = [...new Set([present(random, records), ...(random.chance(0.3) ? fields(random) : [])])];
    const headers = names.map((_, index) => `header-${index}`).join(",");
    return {
      class: sided(random, "HeaderFrom"),
      config: {
        fields: names.join(","),
        headers: random.chance(0.05) ? "one,too,many,here" : headers,
        operation: random.pick(["move", "copy"]),
        "replace.null.with.default": bool(random),
      },
    };
  },
  HoistField: (random) => ({ class: sided(random, "HoistField"), config: { field: random.pick(FIELDS) } }),
  InsertField: (random) => ({
    class: sided(random, "InsertField"),
    config: {
      ...(random.chance(0.5) && { "topic.field": random.pick(["topic", "topic!", "a", "topic?"]) }),
      ...(random.chance(0.5) && { "partition.field": random.pick(["partition", "partition!"]) }),
      ...(random.chance(0.3) && { "offset.field": random.pick(["offset", "offset!"]) }),
      ...(random.chance(0.5) && { "timestamp.field": random.pick(["time", "time!", "ts"]) }),
      ...(random.chance(0.5) && { "static.field": random.pick(["env", "env!", "b"]) }),
      ...(random.chance(0.6) && { "static.value": "prod" }),
      "replace.null.with.default": bool(random),
    },
  }),
  InsertHeader: (random) => ({
    class: `${PACKAGE}.InsertHeader`,
    config: { header: "added", "value.literal": random.pick(LITERALS) },
  }),
  MaskField: (random, records) => ({
    class: sided(random, "MaskField"),
    config: {
      fields: [...new Set([present(random, records), ...(random.chance(0.3) ? fields(random) : [])])].join(","),
      ...(random.chance(0.5) && { replacement: random.pick(["0", "42", "1.5", "xxx", "1e3", "", "300"]) }),
      "replace.null.with.default": bool(random),
    },
  }),
  RegexRouter: (random) => ({
    class: `${PACKAGE}.RegexRouter`,
    config: {
      regex: random.pick([
        "orders",
        "(.*)-(.*)",
        "(?<name>\\w+)",
        "\\Qfoo.bar\\E",
        "(?i)ORDERS.*",
        "[a-z&&[^b]]",
        "\\p{Alpha}+",
        "o.*+",
        "(",
        "(o)(r)?.*",
        "[^-]++(-.*)?",
      ]),
      replacement: random.pick(["x", "$1", "$2$1", `\${name}-2`, "\\$a", "$0!", "$", "$12", "a\\"]),
    },
  }),
  ReplaceField: (random, records) => ({
    class: sided(random, "ReplaceField"),
    config: {
      ...(random.chance(0.4) && { exclude: fields(random).join(",") }),
      ...(random.chance(0.4) && { include: [...new Set([present(random, records), ...fields(random)])].join(",") }),
      ...(random.chance(0.5) && { renames: random.pick(["a:z", "b:y,id:key", "a", "c:c2,name:n", ":x", "a:b:c"]) }),
      "replace.null.with.default": bool(random),
    },
  }),
  SetSchemaMetadata: (random) => ({
    class: sided(random, "SetSchemaMetadata"),
    config: {
      ...(random.chance(0.7) && { "schema.name": "org.example.New" }),
      ...(random.chance(0.7) && { "schema.version": random.pick(["1", "7", "x"]) }),
      "replace.null.with.default": bool(random),
    },
  }),
  TimestampConverter: (random, records) => ({
    class: sided(random, "TimestampConverter"),
    config: {
      ...(random.chance(0.7) && { field: present(random, records) }),
      "target.type": random.pick(["string", "unix", "Date", "Time", "Timestamp", "Timestamp", "string", "what"]),
      ...(random.chance(0.8) && { format: random.pick([...FORMATS, "bad pattern"]) }),
      ...(random.chance(0.4) && {
        "unix.precision": random.pick(["seconds", "microseconds", "nanoseconds", "milliseconds"]),
      }),
      "replace.null.with.default": bool(random),
    },
  }),
  TimestampRouter: (random) => ({
    class: `${PACKAGE}.TimestampRouter`,
    config: {
      ...(random.chance(0.5) && { "topic.format": random.pick([`\${topic}`, `\${timestamp}_\${topic}$1`, "fixed"]) }),
      ...(random.chance(0.7) && { "timestamp.format": random.pick(FORMATS) }),
    },
  }),
  ValueToKey: (random, records) => ({
    class: `${PACKAGE}.ValueToKey`,
    config: {
      fields: [...new Set([present(random, records), ...(random.chance(0.3) ? fields(random) : [])])].join(","),
      "replace.null.with.default": bool(random),
    },
  }),
};

const PREDICATES: Readonly<Record<string, (random: Random) => Config>> = {
  HasHeaderKey: (random) => ({ name: random.pick(["h", "h2", "x", ""]) }),
  RecordIsTombstone: () => ({}),
  TopicNameMatches: (random) => ({ pattern: random.pick(["orders.*", "orders", "[^-]+", "(", "", "foo\\.bar|a"]) }),
};

export const TRANSFORM_NAMES = Object.keys(TRANSFORMS);
export const PREDICATE_NAMES = Object.keys(PREDICATES);

export function randomTransformCase(random: Random, name: string): Case {
  const make = TRANSFORMS[name];
  if (make === undefined) throw new Error(`no such transform: ${name}`);
  const inputs = [randomRecord(random), randomRecord(random), randomRecord(random)];
  return { kind: "transform", ...make(random, inputs), inputs };
}

export function randomPredicateCase(random: Random, name: string): Case {
  const make = PREDICATES[name];
  if (make === undefined) throw new Error(`no such predicate: ${name}`);
  return {
    kind: "predicate",
    class: `${PACKAGE}.predicates.${name}`,
    config: make(random),
    inputs: [randomRecord(random), randomRecord(random)],
  };
}

const LITERALS = [
  "",
  " ",
  "x",
  "null",
  "true",
  "True",
  "12",
  "-129",
  "40000",
  "3000000000",
  "1.5",
  "1e3",
  "1.0",
  "+7",
  "-",
  "1e400",
  "123456789012345678901",
  "0.1",
  "3.14159265358979",
  "2024-02-29",
  "2024-02-29T01:02:03.004Z",
  "01:02:03.004Z",
  "2024-13-45",
  "[1,2]",
  "[1,300,70000]",
  "[1,1.5]",
  "[]",
  '[1,"x"]',
  "[ 1 , 2 ]",
  "{}",
  '{"a":1}',
  '{"a":1,"b":2.5}',
  "{1:2}",
  "{a:1}",
  "[1,]",
  "[,1]",
  '{"a":null}',
  "[null]",
  "[1,null]",
  "true}",
  '"q"',
  '["2024-02-29"]',
  "a\\:b",
  "12:34",
  "1,2,3",
  '["a\\"b"]',
  "[[1],[2]]",
  "[true,false]",
  '{"a":{"b":1}}',
  '{"a":1,}',
  "[1 2]",
  "é",
  "1e-400",
  "00012",
  "1.",
  ".5",
  "-0",
  "-0.0",
  "1E19",
  "9223372036854775808",
];

const CONVERTERS = [
  "ShortConverter",
  "IntegerConverter",
  "LongConverter",
  "FloatConverter",
  "DoubleConverter",
  "BooleanConverter",
  "ByteArrayConverter",
];

export const CONVERTER_CLASSES = [
  "org.apache.kafka.connect.json.JsonConverter",
  "org.apache.kafka.connect.storage.StringConverter",
  "org.apache.kafka.connect.storage.SimpleHeaderConverter",
  ...CONVERTERS.map((name) => `org.apache.kafka.connect.converters.${name}`),
];

function converterConfig(random: Random, name: string): Config {
  if (!name.endsWith("JsonConverter")) return {};
  return {
    "schemas.enable": String(random.chance(0.6)),
    "decimal.format": random.pick(["BASE64", "NUMERIC", "numeric"]),
    "replace.null.with.default": bool(random),
    ...(random.chance(0.1) && { "schema.content": '{"type":"int32","optional":true}' }),
  };
}

export function randomEncodeCase(random: Random, name: string): Case {
  // Text has no order of its own that both sides could be sorted to.
  const atMost = name.endsWith("JsonConverter") ? 5 : 1;
  const inputs = Array.from({ length: 4 }, () => randomData(random, atMost));
  return { kind: "converter", class: name, config: converterConfig(random, name), direction: "encode", inputs };
}

export function randomDecodeCase(random: Random, name: string): Case {
  const inputs = Array.from({ length: 4 }, () => {
    if (random.chance(0.05)) return null;
    return randomPayload(random, name).toString("base64");
  });
  return { kind: "converter", class: name, config: converterConfig(random, name), direction: "decode", inputs };
}

function randomPayload(random: Random, name: string): Buffer {
  if (name.endsWith("JsonConverter")) return Buffer.from(randomJson(random));
  if (name.endsWith("SimpleHeaderConverter") || name.endsWith("StringConverter")) {
    return random.chance(0.7) ? Buffer.from(random.pick(LITERALS)) : Buffer.from(garble(random, random.pick(LITERALS)));
  }
  return Buffer.from(random.list(8, () => random.pick([0, 1, 255, random.int(256)])));
}

const PAYLOADS = [
  "null",
  "true",
  "1",
  "1.0",
  "0.5",
  "300",
  "-1",
  "3000000000",
  "1e3",
  "12345678901234567890",
  "1.50",
  '"x"',
  '"AQI="',
  '"12"',
  "[]",
  "[1,2]",
  '[1,"x",null]',
  "{}",
  '{"a":1}',
  '{"a":1,"b":"x","c":null}',
  '[[1,"a"]]',
  "[[1]]",
  "86400001",
  "1709168523004",
  "007",
];
const SCHEMAS = ["int8", "int16", "int32", "int64", "float", "double", "boolean", "string", "bytes"];

function randomJsonSchema(random: Random, depth: number): string {
  const optional = random.pick(['"optional":true', '"optional":false', '"doc":"d"']);
  const choice = random.next();
  const logical = "org.apache.kafka.connect.data.";
  if (choice < 0.06)
    return random.pick([
      "null",
      "{}",
      '{"type":"what"}',
      "5",
      '{"type":"array"}',
      '{"type":"map","keys":{"type":"string"}}',
      '{"type":"struct"}',
    ]);
  if (choice < 0.5 || depth === 0) {
    const extra = random.pick([
      "",
      "",
      ',"name":"n","version":2',
      ',"default":1',
      ',"parameters":{"p":"q"}',
      ',"version":"x"',
      ',"default":null',
    ]);
    return `{"type":"${random.pick(SCHEMAS)}",${optional}${extra}}`;
  }
  if (choice < 0.6) {
    const name = random.pick([
      '"int32","name":"Date"',
      '"int32","name":"Time"',
      '"int64","name":"Timestamp"',
      '"bytes","parameters":{"scale":"2"},"name":"Decimal"',
    ]);
    return `{"type":${name.replace('"name":"', `"name":"${logical}`)},"version":1,${optional}}`;
  }
  if (choice < 0.7) return `{"type":"array","items":${randomJsonSchema(random, depth - 1)},${optional}}`;
  if (choice < 0.78) {
    const keys = random.pick(['{"type":"string"}', '{"type":"int32"}']);
    return `{"type":"map","keys":${keys},"values":${randomJsonSchema(random, depth - 1)},${optional}}`;
  }
  const inner = ["a", "b", "c"].map((field) =>
    randomJsonSchema(random, depth - 1).replace(/}$/, `,"field":"${field}"}`),
  );
  return `{"type":"struct","fields":[${inner.slice(0, random.int(4)).join(",")}],${optional}}`;
}

function randomJson(random: Random): string {
  const payload = random.pick(PAYLOADS);
  if (random.chance(0.3)) return random.chance(0.2) ? garble(random, payload) : payload;
  const envelope = `{"schema":${randomJsonSchema(random, 2)},"payload":${payload}}`;
  return random.chance(0.1) ? garble(random, envelope) : envelope;
}

/** Takes a character out, doubles one, or puts one in. */
function garble(random: Random, text: string): string {
  const at = random.int(text.length + 1);
  const into = random.pick(["", text[at] ?? "", ",", "}", '"', "\\", "1", ":", " "]);
  return text.slice(0, at) + into + text.slice(at + random.int(2));
}
