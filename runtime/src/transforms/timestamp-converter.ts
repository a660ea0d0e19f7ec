import {
  compileDateFormat,
  DATE_NAME,
  DataError,
  type DateFormat,
  dateOf,
  defineTransform,
  INT64_SCHEMA,
  javaClassOf,
  config as key,
  memoizeSchema,
  type Schema,
  STRING_SCHEMA,
  TIME_NAME,
  TIMESTAMP_NAME,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import { basicsOf, structOf } from "./derived-schema.ts";
import { admit, fieldOf, fieldsOf, REPLACE_NULL, readField, requireFields, setField } from "./fields.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

const PURPOSE = "converting timestamp formats";
const DAY_MS = 86_400_000;
const TARGETS = ["string", "unix", "Date", "Time", "Timestamp"] as const;
const PRECISIONS = ["nanoseconds", "microseconds", "milliseconds", "seconds"] as const;
type Target = (typeof TARGETS)[number];
type Precision = (typeof PRECISIONS)[number];

const CONFIG = z
  .object({
    field: key
      .text()
      .default("")
      .describe("The field with the timestamp; empty: the whole key or value is one.")
      .meta({ importance: "HIGH" }),
    "target.type": key
      .oneOf(...TARGETS)
      .describe("What the timestamp becomes.")
      .meta({ importance: "HIGH" }),
    format: key
      .text()
      .default("")
      .describe("Format of timestamps that are text, as of java.text.SimpleDateFormat, in UTC.")
      .meta({ importance: "MEDIUM" }),
    "unix.precision": key
      .oneOf(...PRECISIONS)
      .default("milliseconds")
      .describe("Unit of timestamps that are integers.")
      .meta({ importance: "LOW" }),
    "replace.null.with.default": REPLACE_NULL,
  })
  .superRefine((config, context) => {
    if (config.format.trim() === "") {
      if (config["target.type"] !== "string") return;
      context.addIssue("TimestampConverter requires format option to be specified when using string timestamps");
      return;
    }
    if ("fault" in compileDateFormat(config.format)) {
      context.addIssue(
        `TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: ${config.format}`,
      );
    }
  });

interface Settings {
  readonly target: Target;
  readonly precision: Precision;
  readonly format: DateFormat | null;
}

const LOGICAL: ReadonlySet<string | undefined> = new Set([DATE_NAME, TIME_NAME, TIMESTAMP_NAME]);

/** Which kind of timestamp a schema means; throws DataError if it means none. */
function requireTimestampSchema(schema: Schema): void {
  if (LOGICAL.has(schema.name) || schema.type === "STRING" || schema.type === "INT64") return;
  const shown = schema.name === undefined ? schema.type : `${schema.name}:${schema.type}`;
  throw new DataError(`Schema Schema{${shown}} does not correspond to a known timestamp type format`);
}

/** The last millisecond that JavaScript has a date for, in the year 275760. */
const LIMIT_MS = 8.64e15;

/** Milliseconds since the epoch. */
function readTimestamp(value: NonNullable<Value>, schema: Schema | null, settings: Settings): number {
  const millis = readMillis(value, schema, settings);
  if (Math.abs(millis) <= LIMIT_MS) return millis;
  throw new DataError(`Timestamp ${String(value)} lies beyond the year 275760, which no date can show`);
}

function readMillis(value: NonNullable<Value>, schema: Schema | null, settings: Settings): number {
  const date = dateOf(value, schema);
  if (date !== null) return date.getTime();
  if (typeof value === "string") return parseText(value, settings.format);
  if (typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value))) {
    return toMillis(BigInt(value), settings.precision);
  }
  throw new DataError(`TimestampConverter does not support class ${javaClassOf(value, schema)} objects as timestamps`);
}

function parseText(text: string, format: DateFormat | null): number {
  if (format === null) {
    throw new DataError(`Could not parse timestamp: value (${text}): TimestampConverter has no format`);
  }
  const millis = format.parse(text);
  if (millis !== null) return millis;
  throw new DataError(`Could not parse timestamp: value (${text}) does not match pattern (${format.pattern})`);
}

function toMillis(unix: bigint, precision: Precision): number {
  switch (precision) {
    case "seconds":
      return Number(unix * 1000n);
    case "milliseconds":
      return Number(unix);
    case "microseconds":
      return Number(unix / 1000n);
    case "nanoseconds":
      return Number(unix / 1_000_000n);
    default:
      throw new Error(`unreachable: ${precision satisfies never}`);
  }
}

function fromMillis(millis: number, precision: Precision): bigint {
  const exact = BigInt(millis);
  switch (precision) {
    case "seconds":
      return exact / 1000n;
    case "milliseconds":
      return exact;
    case "microseconds":
      return saturate(exact * 1000n);
    case "nanoseconds":
      return saturate(exact * 1_000_000n);
    default:
      throw new Error(`unreachable: ${precision satisfies never}`);
  }
}

function saturate(value: bigint): bigint {
  if (BigInt.asIntN(64, value) === value) return value;
  return value > 0n ? 2n ** 63n - 1n : -(2n ** 63n);
}

const floorDay = (millis: number) => Math.floor(millis / DAY_MS);
const timeOfDay = (millis: number) => ((millis % DAY_MS) + DAY_MS) % DAY_MS;

/** `typed`: the value goes with a schema. */
function writeTimestamp(millis: number, settings: Settings, typed: boolean): Value {
  switch (settings.target) {
    case "string":
      return settings.format?.write(millis) ?? null;
    case "unix": {
      const unix = fromMillis(millis, settings.precision);
      return !typed && Number.isSafeInteger(Number(unix)) ? Number(unix) : unix;
    }
    case "Date":
      return typed ? floorDay(millis) : new Date(floorDay(millis) * DAY_MS);
    case "Time":
      return typed ? timeOfDay(millis) : new Date(timeOfDay(millis));
    case "Timestamp":
      return typed ? BigInt(millis) : new Date(millis);
    default:
      throw new Error(`unreachable: ${settings.target satisfies never}`);
  }
}

function convert(value: Value, schema: Schema | null, settings: Settings): Value {
  if (schema !== null) requireTimestampSchema(schema);
  if (value === null) return null;
  return writeTimestamp(readTimestamp(value, schema, settings), settings, schema !== null);
}

const TARGET_SCHEMAS: Readonly<Record<Target, Schema>> = {
  string: STRING_SCHEMA,
  unix: INT64_SCHEMA,
  Date: { type: "INT32", optional: false, name: DATE_NAME, version: 1 },
  Time: { type: "INT32", optional: false, name: TIME_NAME, version: 1 },
  Timestamp: TIMESTAMP_SCHEMA,
};
const OPTIONAL_TARGET_SCHEMAS = Object.fromEntries(
  TARGETS.map((target) => [target, { ...TARGET_SCHEMAS[target], optional: true }]),
);

const targetSchema = (target: Target, isOptional: boolean): Schema =>
  (isOptional ? OPTIONAL_TARGET_SCHEMAS[target] : undefined) ?? TARGET_SCHEMAS[target];

/** Converts timestamps between text, integers and Connect's types. Source: org.apache.kafka.connect.transforms.TimestampConverter. */
function defineTimestampConverter(side: Side) {
  return defineTransform({
    name: `timestamp-converter-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("TimestampConverter", side)],
    config: CONFIG,
    compile(config) {
      const compiled = config.format.trim() === "" ? null : compileDateFormat(config.format);
      if (compiled !== null && "fault" in compiled) throw new Error(compiled.fault);
      const settings: Settings = {
        target: config["target.type"],
        precision: config["unix.precision"],
        format: compiled,
      };
      const replaceNull = config["replace.null.with.default"];
      const wanted = config.field;

      const reshape = memoizeSchema((schema: Schema): Schema => {
        const fields = fieldsOf(schema).map((field) =>
          field.name === wanted
            ? { name: wanted, schema: targetSchema(settings.target, field.schema.optional) }
            : field,
        );
        const reshaped = { ...structOf(fields, basicsOf(schema)), optional: schema.optional };
        return schema.default === undefined ? reshaped : { ...reshaped, default: convertField(schema.default, schema) };
      });

      function convertField(value: Value, schema: Schema): Value {
        const fields = requireFields({ schema, value }, PURPOSE);
        const struct: Record<string, Value> = {};
        for (const field of fieldsOf(schema)) {
          const item = readField(fields, field, replaceNull);
          const isWanted = field.name === wanted;
          const target = isWanted ? targetSchema(settings.target, field.schema.optional) : field.schema;
          const result = isWanted ? convert(item, field.schema, settings) : item;
          setField(struct, field.name, admit(result, field.name, target));
        }
        return struct;
      }

      return (record) => {
        const { schema, value } = side.get(record);
        if (schema === null) {
          if (value === null || wanted === "") {
            return side.with(record, { schema: null, value: convert(value, null, settings) });
          }
          const fields = requireFields({ schema, value }, PURPOSE);
          const map: Record<string, Value> = { ...fields };
          setField(map, wanted, convert(fieldOf(fields, wanted), null, settings));
          return side.with(record, { schema: null, value: map });
        }
        if (wanted === "") {
          const target = targetSchema(settings.target, schema.optional);
          return side.with(record, { schema: target, value: convert(value, schema, settings) });
        }
        if (value !== null) requireFields({ schema, value }, PURPOSE);
        const reshaped = reshape(schema);
        return side.with(record, { schema: reshaped, value: value === null ? null : convertField(value, schema) });
      };
    },
  });
}

export const timestampConverterKey = defineTimestampConverter(KEY);
export const timestampConverterValue = defineTimestampConverter(VALUE);
