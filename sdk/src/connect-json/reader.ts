import { fromDecimalText, parseBigDecimal, scaleOf, toUnscaled, truncate } from "../decimal.ts";
import { DataError } from "../errors.ts";
import { JsonDecimal } from "../exact-json.ts";
import { DATE_NAME, DECIMAL_NAME, type Schema, TIME_NAME, TIMESTAMP_NAME, type Value } from "../schema.ts";
import { WholeDouble } from "../whole-double.ts";
import type { JsonNode } from "./text.ts";

/**
 * Reads payload nodes as Java's JsonConverter does: a node of another kind than the schema's counts as that type's zero (a number for
 * text counts as null), integers narrow silently, and only structs, maps, logical types and null for what is required are refused.
 */

/** Reads the values of one schema. Throws DataError where node and schema do not agree. */
export type JsonReader = (node: JsonNode | undefined) => Value;

/**
 * Compiles the reader of a schema; call it once per schema. `location` says which part of a struct it is, where Java checks that what is
 * required is there; not given: it is in none.
 */
export function compileJsonReader(schema: Schema, replaceNull: boolean, location?: string): JsonReader {
  const read = compileNonNull(schema, { replaceNull, location });
  const fallback = schema.default;
  return (node) => {
    if (node !== null && node !== undefined) return read(node);
    if (replaceNull && fallback !== undefined && fallback !== null) return fallback;
    if (schema.optional) return null;
    throw new DataError(`Invalid null value for required ${schema.type} field`);
  };
}

type Read = (node: Exclude<JsonNode, null>) => Value;

const BITS = { INT8: 8, INT16: 16, INT32: 32 } as const;

interface Place {
  readonly replaceNull: boolean;
  readonly location: string | undefined;
}

function compileNonNull(schema: Schema, place: Place): Read {
  switch (schema.name) {
    case DECIMAL_NAME:
      return compileDecimal(schema);
    case DATE_NAME:
      return (node) => readInt(node, "Date");
    case TIME_NAME:
      return (node) => requireTimeOfDay(readInt(node, "Time"));
    case TIMESTAMP_NAME:
      return (node) => {
        if (typeof node === "bigint" || Number.isInteger(node)) return integerOf(node, 64);
        throw new DataError(
          `Invalid type for Timestamp, underlying representation should be integral but was ${kindOf(node)}`,
        );
      };
    default:
      return compilePlain(schema, place);
  }
}

function compilePlain(schema: Schema, place: Place): Read {
  const { type } = schema;
  switch (type) {
    case "BOOLEAN":
      return (node) => node === true;
    case "INT8":
    case "INT16":
    case "INT32": {
      const limit = 2 ** (BITS[type] - 1);
      return (node) => {
        const plain = typeof node === "number" && Number.isInteger(node) && node >= -limit && node < limit;
        return plain ? node : Number(BigInt.asIntN(BITS[type], integerOf(node, 32)));
      };
    }
    case "INT64":
      return (node) => integerOf(node, 64);
    case "FLOAT32":
      return (node) => Math.fround(floatOf(node));
    case "FLOAT64":
      return floatOf;
    case "STRING":
      return (node) => (typeof node === "string" ? node : absent(schema, place));
    case "BYTES":
      return (node) => (typeof node === "string" ? readBase64(node, "Invalid bytes field") : absent(schema, place));
    case "ARRAY": {
      const readItem = compileItems(schema, place);
      return (node) => itemsOf(node).map(readItem);
    }
    case "MAP":
      return compileMap(schema, place);
    case "STRUCT":
      return compileStruct(schema, place);
    default:
      throw new Error(`unreachable: ${type satisfies never}`);
  }
}

/** A node of a kind that cannot become the value counts as null. */
function absent(schema: Schema, { location }: Place): null {
  if (schema.optional || location === undefined) return null;
  throw new DataError(`Invalid value: null used for required ${location}, schema type: ${schema.type}`);
}

const within = (part: string, { location }: Place) => (location === undefined ? undefined : `${part} ${location}`);

function compileItems(schema: Schema, place: Place): JsonReader {
  return schema.valueSchema === undefined
    ? (node) => toSchemaless(node ?? null)
    : compileJsonReader(schema.valueSchema, place.replaceNull, within("element of array", place));
}

function itemsOf(node: JsonNode): readonly JsonNode[] {
  if (isArray(node)) return node;
  return isObject(node) ? Object.values(node) : [];
}

function compileMap(schema: Schema, place: Place): Read {
  const { keySchema, valueSchema } = schema;
  if (keySchema === undefined || valueSchema === undefined)
    throw new DataError("MAP schema without key or value schema");
  const readKey = compileJsonReader(keySchema, place.replaceNull, within("key of map", place));
  const readItem = compileJsonReader(valueSchema, place.replaceNull, within("value of map", place));
  if (keySchema.type === "STRING") {
    return (node) => {
      if (isObject(node)) return new Map(Object.entries(node).map(([key, item]) => [key, readItem(item)]));
      throw new DataError(`Maps with string fields should be encoded as JSON objects, but found ${kindOf(node)}`);
    };
  }
  return (node) => {
    if (!isArray(node)) {
      throw new DataError(
        `Maps with non-string fields should be encoded as JSON array of tuples, but found ${kindOf(node)}`,
      );
    }
    return new Map(
      node.map((entry): [Value, Value] => {
        if (!isArray(entry)) {
          throw new DataError(`Found invalid map entry instead of array tuple: ${kindOf(entry)}`);
        }
        if (entry.length !== 2) {
          throw new DataError(`Found invalid map entry, expected length 2 but found :${entry.length}`);
        }
        return [readKey(entry[0]), readItem(entry[1])];
      }),
    );
  };
}

function compileStruct(schema: Schema, { replaceNull }: Place): Read {
  const fields = (schema.fields ?? []).map((field) => ({
    name: field.name,
    inherited: field.name in Object.prototype,
    read: compileJsonReader(field.schema, replaceNull, `field: "${field.name}"`),
  }));
  return (node) => {
    if (!isObject(node)) throw new DataError(`Structs should be encoded as JSON objects, but found ${kindOf(node)}`);
    const struct: Record<string, Value> = {};
    for (const { name, inherited, read } of fields) {
      if (inherited) {
        const value = read(Object.hasOwn(node, name) ? node[name] : null);
        Object.defineProperty(struct, name, { value, writable: true, enumerable: true, configurable: true });
      } else struct[name] = read(node[name]);
    }
    return struct;
  };
}

function compileDecimal(schema: Schema): Read {
  return (node) => {
    if (typeof node === "string") {
      const bytes = readBase64(node, "Invalid bytes for Decimal field");
      toUnscaled(bytes);
      return bytes;
    }
    const text = numberText(node);
    if (text !== null) return fromDecimalText(text, scaleOf(schema));
    throw new DataError(
      `Invalid type for Decimal, underlying representation should be numeric or bytes but was ${kindOf(node)}`,
    );
  };
}

function numberText(node: JsonNode): string | null {
  if (typeof node === "number" || typeof node === "bigint") return String(node);
  if (node instanceof JsonDecimal) return node.text;
  return node instanceof WholeDouble ? String(node.value) : null;
}

function readInt(node: JsonNode, type: "Date" | "Time"): number {
  if (typeof node === "number" && (node | 0) === node) return node;
  throw new DataError(`Invalid type for ${type}, underlying representation should be integer but was ${kindOf(node)}`);
}

function requireTimeOfDay(millis: number): number {
  if (millis >= 0 && millis <= 86_400_000) return millis;
  throw new DataError("Time values must use number of milliseconds greater than 0 and less than 86400000");
}

/** The integer that a number narrows to; 0 for what is no number. */
function integerOf(node: JsonNode, bits: 32 | 64): bigint {
  if (typeof node === "bigint") return BigInt.asIntN(bits, node);
  if (typeof node === "number" && Number.isInteger(node)) return BigInt.asIntN(bits, BigInt(node));
  const text = numberText(node);
  const decimal = text === null ? null : parseBigDecimal(text);
  return decimal === null ? 0n : BigInt.asIntN(bits, truncate(decimal));
}

function floatOf(node: JsonNode): number {
  if (typeof node === "number") return node;
  if (node === "NaN" || node === "Infinity" || node === "-Infinity") return Number(node);
  const text = numberText(node);
  return text === null ? 0 : Number(text);
}

function readBase64(text: string, fault: string): Buffer {
  const bare = text.replace(/[\0- ]/g, "");
  if (bare.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(bare)) throw new DataError(fault);
  return Buffer.from(bare, "base64");
}

function isArray(node: JsonNode): node is readonly JsonNode[] {
  return Array.isArray(node);
}

function isObject(node: JsonNode): node is { readonly [member: string]: JsonNode } {
  return (
    typeof node === "object" &&
    node !== null &&
    !Array.isArray(node) &&
    !(node instanceof WholeDouble) &&
    !(node instanceof JsonDecimal)
  );
}

/** The name that Jackson has for a node's kind. */
function kindOf(node: JsonNode): string {
  if (node === null) return "NULL";
  if (isArray(node)) return "ARRAY";
  if (isObject(node)) return "OBJECT";
  if (typeof node === "string") return "STRING";
  return typeof node === "boolean" ? "BOOLEAN" : "NUMBER";
}

/** Schemaless data is the parsed JSON itself. */
export function toSchemaless(node: JsonNode): Value {
  return node as Value;
}
