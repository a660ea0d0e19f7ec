import {
  ConfigError,
  type ConnectRecord,
  DATE_NAME,
  DataError,
  fromUnscaled,
  readJsonSchema,
  type Schema,
  type SchemaAndValue,
  TIME_NAME,
  TIMESTAMP_NAME,
  toDouble,
  type Value,
} from "@headrace/sdk";
import { jsonConverter } from "#runtime/converters/json.ts";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import type { PluginDefinition } from "#runtime/plugins/registry.ts";
import type { Case, Encoded, EncodedData, EncodedRecord, Failure } from "./cases.ts";
import type { JsonValue } from "./random.ts";

const OUT = jsonConverter.compile(jsonConverter.config.parse({ "replace.null.with.default": "false" }), false);

/** What each input of a case gives, in the form in which Harness.java prints it. */
export function runOurs(test: Case, plugins: readonly PluginDefinition[] = BUILT_IN_PLUGINS): readonly JsonValue[] {
  const definition = plugins.find((each) => each.aliases?.includes(test.class) === true);
  if (definition === undefined) throw new Error(`${test.class} is none of ours`);
  const config = definition.config.safeParse(test.config);
  if (!config.success) {
    return [{ error: "config", message: config.error.issues.map((issue) => issue.message).join("; ") }];
  }
  const apply = compile(definition, config.data, test);
  return test.inputs.map((input) => {
    try {
      return apply(input);
    } catch (error) {
      return failure(error);
    }
  });
}

function compile(
  definition: PluginDefinition,
  config: Record<string, unknown>,
  test: Case,
): (input: Case["inputs"][number]) => JsonValue {
  switch (definition.kind) {
    case "transform": {
      const transform = definition.compile(config);
      return (input) => {
        const record = transform(toRecord(input as EncodedRecord));
        return record === null ? null : describeRecord(record);
      };
    }
    case "predicate": {
      const predicate = definition.compile(config);
      return (input) => predicate(toRecord(input as EncodedRecord));
    }
    case "converter": {
      const converter = definition.compile(config, false);
      if (test.kind === "converter" && test.direction === "decode") {
        return (input) =>
          describe(converter.decode("topic", input === null ? null : Buffer.from(String(input), "base64")));
      }
      return (input) => {
        const payload = converter.encode("topic", toData(input as EncodedData));
        return payload === null ? null : Buffer.from(payload).toString("base64");
      };
    }
    default:
      throw new Error(`${definition.name} is no transform, predicate or converter`);
  }
}

function failure(error: unknown): Failure & { readonly [member: string]: JsonValue } {
  if (error instanceof DataError) return { error: "data", message: error.message };
  if (error instanceof ConfigError) return { error: "config", message: error.message };
  throw error;
}

function describeRecord(record: ConnectRecord): JsonValue {
  return {
    topic: record.topic,
    partition: record.partition,
    timestamp: record.timestamp,
    key: describe(record.key),
    value: describe(record.value),
    headers: record.headers.map((header) => ({ ...describe(header), key: header.key })),
  };
}

/** Data as Harness.java prints it. */
export function describe(data: SchemaAndValue): { readonly [member: string]: JsonValue } {
  try {
    const json = OUT.encode("topic", data);
    return { json: json === null ? null : json.toString() };
  } catch (error) {
    return { json: failure(error) };
  }
}

function toRecord(input: EncodedRecord): ConnectRecord {
  return {
    topic: input.topic,
    partition: input.partition,
    offset: input.offset === null ? null : BigInt(input.offset),
    timestamp: input.timestamp,
    key: toData(input.key),
    value: toData(input.value),
    headers: input.headers.map((header) => ({ key: header.key, ...toData(header) })),
  };
}

/** Data as both sides are given it. */
export function toData(data: EncodedData): SchemaAndValue {
  const schema = readJsonSchema(data.schema as Parameters<typeof readJsonSchema>[0]);
  return { schema, value: toValue(schema, data.value) };
}

function toValue(schema: Schema | null, encoded: Encoded): Value {
  if (encoded === null) return null;
  const [entry] = Object.entries(encoded);
  if (entry === undefined) throw new Error("a value without a type");
  const [type, it] = entry;
  switch (type) {
    case "i8":
    case "i16":
    case "i32":
      return Number(it);
    case "i64":
      return schema === null && Number.isSafeInteger(Number(it)) ? Number(it) : BigInt(String(it));
    case "f32":
      return Math.fround(Number(it));
    case "f64":
      return schema === null ? toDouble(Number(it)) : Number(it);
    case "b":
      return it === true;
    case "s":
      return String(it);
    case "y":
      return Buffer.from(String(it), "base64");
    case "date":
      return toDate(schema, Number(it));
    case "dec":
      return fromUnscaled(BigInt(String(it)));
    case "a":
      return list(it).map((item) => toValue(schema?.valueSchema ?? null, item as Encoded));
    case "m":
      return toMap(schema, list(it));
    default: {
      const values = list(it);
      const fields = schema?.fields ?? [];
      return Object.fromEntries(
        fields.map((field, index) => [field.name, toValue(field.schema, values[index] as Encoded)]),
      );
    }
  }
}

function toMap(schema: Schema | null, pairs: readonly JsonValue[]): Value {
  const entries = pairs.map((pair): [Value, Value] => {
    const [key, item] = list(pair);
    return [toValue(schema?.keySchema ?? null, key as Encoded), toValue(schema?.valueSchema ?? null, item as Encoded)];
  });
  return schema === null
    ? Object.fromEntries(entries.map(([key, item]): [string, Value] => [String(key), item]))
    : new Map(entries);
}

function toDate(schema: Schema | null, millis: number): Value {
  switch (schema?.name) {
    case DATE_NAME:
      return millis / 86_400_000;
    case TIME_NAME:
      return millis;
    case TIMESTAMP_NAME:
      return BigInt(millis);
    default:
      return new Date(millis);
  }
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  if (!Array.isArray(value)) throw new Error("a list was expected");
  return value;
}
