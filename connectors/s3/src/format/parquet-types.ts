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
  optional,
  type Schema,
  STRING_SCHEMA,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import type { SchemaElement, SchemaTree } from "hyparquet";

/** A column of Parquet, or a part of one, as Connect has it. */
export interface ParquetType {
  readonly schema: Schema;
  /** Turns what the reader gives for raw columns into a value. */
  readonly toValue: (raw: unknown) => Value;
}

/**
 * The Connect type of a node. Times in microseconds and nanoseconds are INT64 under Debezium's names, so that nothing is cut off; enums,
 * JSON and UUIDs are texts; unsigned integers have the next larger type. Throws DataError for intervals and for what no reader knows.
 */
export function parquetType(node: SchemaTree): ParquetType {
  const { element } = node;
  if (element.repetition_type === "REPEATED") return repeated(required(node));
  const { schema, toValue } = required(node);
  if (element.repetition_type !== "OPTIONAL") return { schema, toValue };
  return { schema: optional(schema), toValue: (raw) => (raw === null || raw === undefined ? null : toValue(raw)) };
}

/** A list as files have it that know no LIST: items are there, or the list is empty. */
function repeated({ schema, toValue }: ParquetType): ParquetType {
  return { schema: arraySchema(schema), toValue: (raw) => itemsOf(raw).map(toValue) };
}

function required(node: SchemaTree): ParquetType {
  const { element, children } = node;
  if (children.length === 0) return leaf(element);
  if (isKind(element, "LIST")) return listOf(node);
  if (isKind(element, "MAP") || element.converted_type === "MAP_KEY_VALUE") return mapOf(node);
  const fields = children.map((child) => ({ name: child.element.name, ...parquetType(child) }));
  return {
    schema: { type: "STRUCT", optional: false, fields: fields.map(({ name, schema }) => ({ name, schema })) },
    toValue(raw) {
      const given = membersOf(raw);
      return Object.fromEntries(fields.map(({ name, toValue }) => [name, toValue(given[name])]));
    },
  };
}

const isKind = ({ converted_type: old, logical_type: logical }: SchemaElement, kind: "LIST" | "MAP") =>
  old === kind || logical?.type === kind;

function listOf({ element, children }: SchemaTree): ParquetType {
  const [middle] = children;
  const inner = middle?.children.length === 1 ? middle.children[0] : middle;
  if (inner === undefined) throw new DataError(`Parquet: the list ${element.name} has no items`);
  const { schema, toValue } = inner === middle ? required(inner) : parquetType(inner);
  return { schema: arraySchema(schema), toValue: (raw) => itemsOf(raw).map(toValue) };
}

/** The reader gives maps as objects: keys have become texts. */
function mapOf({ element, children }: SchemaTree): ParquetType {
  const [keyNode, valueNode] = children[0]?.children ?? [];
  if (keyNode === undefined || valueNode === undefined) throw new DataError(`Parquet: ${element.name} is no map`);
  const key = required(keyNode).schema;
  const { schema, toValue } = parquetType(valueNode);
  return {
    schema: mapSchema(key, schema),
    toValue: (raw) => new Map(Object.entries(membersOf(raw)).map(([name, item]) => [keyOf(key, name), toValue(item)])),
  };
}

function keyOf(schema: Schema, text: string): Value {
  switch (schema.type) {
    case "STRING":
      return text;
    case "INT64":
      return BigInt(text);
    case "BOOLEAN":
      return text === "true";
    case "INT8":
    case "INT16":
    case "INT32":
    case "FLOAT32":
    case "FLOAT64":
      return Number(text);
    default:
      throw new DataError(`Parquet: maps with keys of type ${schema.type} cannot be read`);
  }
}

function leaf(element: SchemaElement): ParquetType {
  const { type, converted_type: old, logical_type: logical } = element;
  if (old === "DECIMAL" || logical?.type === "DECIMAL") {
    const scale = element.scale ?? (logical?.type === "DECIMAL" ? logical.scale : 0);
    return { schema: decimalSchema(scale), toValue: (raw) => fromUnscaled(unscaledOf(raw)) };
  }
  switch (type) {
    case "BOOLEAN":
      return { schema: BOOLEAN_SCHEMA, toValue: (raw) => raw === true };
    case "FLOAT":
      return { schema: FLOAT32_SCHEMA, toValue: Number };
    case "DOUBLE":
      return { schema: FLOAT64_SCHEMA, toValue: Number };
    case "INT32":
      return int32(element);
    case "INT64":
      return int64(element);
    case "INT96":
      return { schema: TIMESTAMP_SCHEMA, toValue: (raw) => (raw instanceof Date ? BigInt(raw.getTime()) : null) };
    case "BYTE_ARRAY":
      if (old === "UTF8" || old === "ENUM" || old === "JSON" || isText(logical?.type))
        return { schema: STRING_SCHEMA, toValue: textOf };
      if (old === "BSON" || old === undefined) return { schema: BYTES_SCHEMA, toValue: bytesOf };
      break;
    case "FIXED_LEN_BYTE_ARRAY":
      if (logical?.type === "UUID") return { schema: STRING_SCHEMA, toValue: (raw) => uuidOf(bytesOf(raw)) };
      if (old === undefined && logical?.type !== "FLOAT16") return { schema: BYTES_SCHEMA, toValue: bytesOf };
      break;
    default:
  }
  throw new DataError(`Parquet: the type of ${element.name} (${old ?? logical?.type ?? type}) cannot be read`);
}

const isText = (kind: string | undefined) => kind === "STRING" || kind === "ENUM" || kind === "JSON";

function int32({ converted_type: old, logical_type: logical }: SchemaElement): ParquetType {
  if (old === "DATE" || logical?.type === "DATE") return { schema: DATE_SCHEMA, toValue: Number };
  if (old === "TIME_MILLIS" || logical?.type === "TIME") return { schema: TIME_SCHEMA, toValue: Number };
  const [bits, signed] = logical?.type === "INTEGER" ? [logical.bitWidth, logical.isSigned] : oldInteger(old);
  if (bits === 32 && !signed) return { schema: INT64_SCHEMA, toValue: (raw) => BigInt(Number(raw) >>> 0) };
  if (bits === 16 && !signed) return { schema: INT32_SCHEMA, toValue: Number };
  if (bits === 8) return { schema: signed ? INT8_SCHEMA : INT16_SCHEMA, toValue: Number };
  return { schema: bits === 16 ? INT16_SCHEMA : INT32_SCHEMA, toValue: Number };
}

function oldInteger(old: string | undefined): readonly [number, boolean] {
  const [, unsigned, bits] = /^(U?)INT_(\d+)$/.exec(old ?? "") ?? [];
  return bits === undefined ? [32, true] : [Number(bits), unsigned === ""];
}

function int64({ converted_type: old, logical_type: logical }: SchemaElement): ParquetType {
  const toValue = (raw: unknown) => BigInt.asIntN(64, BigInt(String(raw)));
  const unit = logical?.type === "TIMESTAMP" || logical?.type === "TIME" ? logical.unit : undefined;
  const kind = logical?.type ?? "";
  if (old === "TIMESTAMP_MILLIS" || (kind === "TIMESTAMP" && unit === "MILLIS"))
    return { schema: TIMESTAMP_SCHEMA, toValue };
  const named = (name: string): ParquetType => ({ schema: { ...INT64_SCHEMA, name, version: 1 }, toValue });
  if (old === "TIMESTAMP_MICROS" || (kind === "TIMESTAMP" && unit === "MICROS"))
    return named("io.debezium.time.MicroTimestamp");
  if (kind === "TIMESTAMP") return named("io.debezium.time.NanoTimestamp");
  if (old === "TIME_MICROS" || (kind === "TIME" && unit === "MICROS")) return named("io.debezium.time.MicroTime");
  return kind === "TIME" ? named("io.debezium.time.NanoTime") : { schema: INT64_SCHEMA, toValue };
}

function unscaledOf(raw: unknown): bigint {
  if (!(raw instanceof Uint8Array)) return BigInt(String(raw));
  return raw.length === 0 ? 0n : BigInt.asIntN(raw.length * 8, BigInt(`0x${bytesOf(raw).toString("hex")}`));
}

function bytesOf(raw: unknown): Buffer {
  if (!(raw instanceof Uint8Array)) throw new DataError("Parquet: a column of bytes has something else");
  return Buffer.from(raw);
}

const textOf = (raw: unknown): string => (typeof raw === "string" ? raw : bytesOf(raw).toString("utf8"));

function uuidOf(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const itemsOf = (raw: unknown): readonly unknown[] => (Array.isArray(raw) ? raw : []);

/** What the reader gives for a group. */
function membersOf(raw: unknown): Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null ? Object.fromEntries(Object.entries(raw)) : {};
}
