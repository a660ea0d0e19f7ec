import {
  DATE_NAME,
  DataError,
  DECIMAL_NAME,
  type Schema,
  type SchemaType,
  TIME_NAME,
  TIMESTAMP_NAME,
  type Value,
} from "@headrace/sdk";
import { fromDecimalText } from "./decimal.ts";

/** Parsed JSON; integers that a number cannot hold are `bigint`. */
export type JsonNode =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonNode[]
  | { readonly [member: string]: JsonNode };

/** Sixteen digits in a row: only then can a number have lost precision. */
const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d+$/;

/** Parses JSON without losing 64-bit integers. Throws DataError. */
export function parseJson(text: string): JsonNode {
  try {
    return LONG_NUMBER.test(text) ? JSON.parse(text, keepInteger) : JSON.parse(text);
  } catch (cause) {
    throw new DataError("Converting byte[] to Kafka Connect data failed due to serialization error", { cause });
  }
}

/** A reviver; its third argument, the source text, is newer than TypeScript's library. */
function keepInteger(_key: string, value: unknown, ...context: { source?: string }[]): unknown {
  const source = context[0]?.source;
  if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined) return value;
  return INTEGER.test(source) ? BigInt(source) : value;
}

const LOGICAL_BASES: Readonly<Record<string, SchemaType>> = {
  [DATE_NAME]: "INT32",
  [TIME_NAME]: "INT32",
  [TIMESTAMP_NAME]: "INT64",
};

const INTEGER_LIMITS = { INT8: 2 ** 7, INT16: 2 ** 15, INT32: 2 ** 31 } as const;

/** The value that a payload node stands for under a schema. Throws DataError where they do not agree. */
export function readJsonValue(schema: Schema, node: JsonNode, replaceNull = true): Value {
  if (node === null) return readNull(schema, replaceNull);
  if (schema.name === DECIMAL_NAME) return readDecimal(schema, node);
  const base = schema.name === undefined ? undefined : LOGICAL_BASES[schema.name];
  if (base !== undefined && base !== schema.type) throw mismatch(schema, node);
  switch (schema.type) {
    case "BOOLEAN":
      if (typeof node === "boolean") return node;
      throw mismatch(schema, node);
    case "INT8":
    case "INT16":
    case "INT32":
      if (typeof node !== "number") throw mismatch(schema, node);
      return narrow(Math.trunc(node), INTEGER_LIMITS[schema.type]);
    case "INT64":
      if (typeof node === "bigint") return node;
      if (typeof node === "number") return BigInt(Math.trunc(node));
      throw mismatch(schema, node);
    case "FLOAT32":
      return Math.fround(readFloat(schema, node));
    case "FLOAT64":
      return readFloat(schema, node);
    case "STRING":
      if (typeof node === "string") return node;
      throw mismatch(schema, node);
    case "BYTES":
      if (typeof node === "string") return Buffer.from(node, "base64");
      throw mismatch(schema, node);
    case "ARRAY": {
      if (!Array.isArray(node)) throw mismatch(schema, node);
      const items = schema.valueSchema;
      return node.map((item: JsonNode) =>
        items === undefined ? toSchemaless(item) : readJsonValue(items, item, replaceNull),
      );
    }
    case "MAP":
      return readMap(schema, node, replaceNull);
    case "STRUCT":
      return readStruct(schema, node, replaceNull);
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
}

function readNull(schema: Schema, replaceNull: boolean): Value {
  if (schema.default !== undefined && (replaceNull || !schema.optional)) return schema.default;
  if (schema.optional) return null;
  throw new DataError(`Invalid null value for required ${schema.type} field`);
}

function readFloat(schema: Schema, node: JsonNode): number {
  if (typeof node === "number") return node;
  if (typeof node === "bigint") return Number(node);
  if (node === "NaN" || node === "Infinity" || node === "-Infinity") return Number(node);
  throw mismatch(schema, node);
}

/** Java narrows silently. */
function narrow(value: number, limit: number): number {
  const width = limit * 2;
  const wrapped = ((value % width) + width) % width;
  return wrapped >= limit ? wrapped - width : wrapped;
}

function readDecimal(schema: Schema, node: JsonNode): Value {
  if (typeof node === "string") return Buffer.from(node, "base64");
  if (typeof node === "number" || typeof node === "bigint") {
    return fromDecimalText(String(node), Number(schema.parameters?.["scale"] ?? 0));
  }
  throw mismatch(schema, node);
}

function readMap(schema: Schema, node: JsonNode, replaceNull: boolean): Value {
  const { keySchema, valueSchema } = schema;
  if (keySchema === undefined || valueSchema === undefined)
    throw new DataError("MAP schema without key or value schema");
  if (Array.isArray(node)) {
    return new Map(
      node.map((entry: JsonNode): [Value, Value] => {
        if (!Array.isArray(entry) || entry.length !== 2)
          throw new DataError("Found invalid map entry, expected length 2");
        const [key, item]: readonly JsonNode[] = entry;
        return [
          readJsonValue(keySchema, key ?? null, replaceNull),
          readJsonValue(valueSchema, item ?? null, replaceNull),
        ];
      }),
    );
  }
  if (typeof node !== "object") throw mismatch(schema, node);
  return new Map(
    Object.entries(node ?? {}).map(([key, item]: [string, JsonNode]) => [
      key,
      readJsonValue(valueSchema, item, replaceNull),
    ]),
  );
}

function readStruct(schema: Schema, node: JsonNode, replaceNull: boolean): Value {
  if (node === null || typeof node !== "object" || Array.isArray(node)) throw mismatch(schema, node);
  const members = node as Readonly<Record<string, JsonNode>>;
  const struct: Record<string, Value> = {};
  for (const field of schema.fields ?? []) {
    struct[field.name] = readJsonValue(field.schema, members[field.name] ?? null, replaceNull);
  }
  return struct;
}

/** Schemaless data is the parsed JSON itself. */
export function toSchemaless(node: JsonNode): Value {
  return node;
}

function mismatch(schema: Schema, node: JsonNode): DataError {
  const found = Array.isArray(node) ? "array" : typeof node;
  return new DataError(`Invalid type for ${schema.name ?? schema.type}: found JSON ${found}`);
}
