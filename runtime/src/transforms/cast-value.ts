import {
  DataError,
  dateOf,
  javaClassOf,
  type Schema,
  type SchemaType,
  shortestSingle,
  toDouble,
  toText,
  typeOfValue,
  type Value,
  writeDate,
} from "@headrace/sdk";
import { asNumber, outOfRange, parseFloating, parseInteger, toFloat, toInteger } from "./java-number.ts";

const CAST_TYPES = ["INT8", "INT16", "INT32", "INT64", "FLOAT32", "FLOAT64", "BOOLEAN", "STRING"] as const;

export type CastType = (typeof CAST_TYPES)[number];

export function isCastType(type: string): type is CastType {
  return CAST_TYPES.some((each) => each === type);
}

const INPUT_TYPES: ReadonlySet<SchemaType> = new Set([...CAST_TYPES, "BYTES"]);

/**
 * Casts as Java does: numbers narrow silently, text is parsed, dates count as their numbers or (to STRING) as text. Null stays null.
 * Throws DataError for text that is no number and for what cannot be cast.
 */
export function castValue(value: Value, schema: Schema | null, type: CastType): Value {
  if (value === null) return null;
  const from = schema === null ? typeOfValue(value) : schema.type;
  if (from === null) {
    throw new DataError(
      `Cast transformation was passed a value of type class ${javaClassOf(value, schema)} which is not supported by Connect's data API`,
    );
  }
  if (!INPUT_TYPES.has(from)) {
    throw new DataError(
      `Cast transformation does not support casting from ${from}; supported types are [${[...INPUT_TYPES].join(", ")}]`,
    );
  }
  switch (type) {
    case "INT8":
    case "INT16":
    case "INT32":
      return Number(castToInteger(value, schema, type));
    case "INT64": {
      const integer = castToInteger(value, schema, type);
      return schema === null ? toPlainInteger(integer) : integer;
    }
    case "FLOAT32": {
      const single = Math.fround(castToFloat(value, schema));
      return schema === null ? toDouble(shortestSingle(single)) : single;
    }
    case "FLOAT64": {
      const double = castToFloat(value, schema);
      return schema === null ? toDouble(double) : double;
    }
    case "BOOLEAN":
      if (typeof value === "boolean") return value;
      if (typeof value === "string") return value.toLowerCase() === "true";
      return toInteger(numberOf(value, schema), "INT64") !== 0n;
    case "STRING":
      return castToString(value, schema);
    default:
      throw new Error(`unreachable: ${type satisfies never}`);
  }
}

/** Schemaless integers are numbers as long as these are exact. */
function toPlainInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function castToInteger(value: NonNullable<Value>, schema: Schema | null, type: "INT8" | "INT16" | "INT32" | "INT64") {
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "string") {
    const integer = parseInteger(value, type);
    if (integer === null) throw outOfRange(value);
    return integer;
  }
  return toInteger(numberOf(value, schema), type);
}

function castToFloat(value: NonNullable<Value>, schema: Schema | null): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string") {
    const float = parseFloating(value);
    if (float === null) throw outOfRange(value);
    return float;
  }
  return toFloat(numberOf(value, schema));
}

function castToString(value: NonNullable<Value>, schema: Schema | null): string {
  const date = dateOf(value, schema);
  if (date !== null) return writeDate(date);
  if (Buffer.isBuffer(value) && asNumber(value, schema) === null) return value.toString("base64");
  return toText({ schema, value });
}

function numberOf(value: NonNullable<Value>, schema: Schema | null) {
  const number = asNumber(value, schema);
  if (number !== null) return number;
  throw new DataError(`Unexpected type in Cast transformation: class ${javaClassOf(value, schema)}`);
}
