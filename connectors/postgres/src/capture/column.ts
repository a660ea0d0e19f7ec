import {
  BOOLEAN_SCHEMA,
  BYTES_SCHEMA,
  DATE_SCHEMA,
  DataError,
  decimalSchema,
  FLOAT64_SCHEMA,
  fromDecimalText,
  fromUnscaled,
  INT32_SCHEMA,
  INT64_SCHEMA,
  mapSchema,
  optional,
  parseBigDecimal,
  type Schema,
  STRING_SCHEMA,
  structSchema,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
  withAttributes,
} from "@headrace/sdk";
import { type Column, floorDivide, parseTime, STRINGS } from "@headrace/sql";
import { arrayOf, plainColumn } from "../types/column.ts";
import { hstoreEntries } from "../types/hstore-text.ts";
import { intervalMicros, intervalText } from "../types/interval-text.ts";
import { type Endless, parseDate, parseTimestamp, parseZonedTime, zonedTimestampText } from "../types/moment.ts";
import { numericShape, type PgType } from "../types/pg-type.ts";

export interface ColumnRules {
  readonly "decimal.handling.mode": "precise" | "double" | "string";
  readonly "time.precision.mode": "adaptive" | "adaptive_time_microseconds" | "connect";
  readonly "interval.handling.mode": "numeric" | "string";
  readonly "hstore.handling.mode": "json" | "map";
  readonly "binary.handling.mode": BinaryMode;
}

export type BinaryMode = "bytes" | "base64" | "base64-url-safe" | "hex";

const POINT = structSchema(
  {
    x: FLOAT64_SCHEMA,
    y: FLOAT64_SCHEMA,
    wkb: optional(BYTES_SCHEMA),
    srid: optional(INT32_SCHEMA),
  },
  "io.debezium.data.geometry.Point",
);
const VARIABLE_DECIMAL = structSchema(
  { scale: INT32_SCHEMA, value: BYTES_SCHEMA },
  "io.debezium.data.VariableScaleDecimal",
);

/** Names of Debezium's semantic types, all of version 1. */
function named(schema: Schema, name: string, parameters?: Readonly<Record<string, string>>): Schema {
  return withAttributes(schema, { name, version: 1, ...(parameters !== undefined && { parameters }) });
}

const namedText = (name: string): Column => ({ ...STRINGS, schema: named(STRING_SCHEMA, name) });

/** The counterpart of a column type. `modifier` is that of the column (atttypmod). Source: Debezium 3.4, "Data type mappings". */
export function columnOf(type: PgType, modifier: number, rules: ColumnRules): Column {
  if (type.kind === "array" && type.element !== null) return arrayOf(columnOf(type.element, modifier, rules));
  if (type.kind === "enum") {
    return { ...STRINGS, schema: named(STRING_SCHEMA, "io.debezium.data.Enum", { allowed: type.labels.join(",") }) };
  }
  const ownModifier = modifier < 0 ? type.modifier : modifier;
  switch (type.name) {
    case "bit":
    case "varbit":
      return bitsOf(type.name, ownModifier);
    case "numeric":
      return numericOf(ownModifier, rules["decimal.handling.mode"]);
    case "money":
      return moneyOf(rules["decimal.handling.mode"]);
    case "bytea":
      return binaryOf(rules["binary.handling.mode"]);
    case "json":
    case "jsonb":
      return namedText("io.debezium.data.Json");
    case "xml":
      return namedText("io.debezium.data.Xml");
    case "uuid":
      return namedText("io.debezium.data.Uuid");
    case "ltree":
      return namedText("io.debezium.data.Ltree");
    case "hstore":
      return hstoreOf(rules["hstore.handling.mode"]);
    case "point":
      return { schema: withAttributes(POINT, { version: 1, doc: "Geometry (POINT)" }), decode: pointOf };
    case "date":
      return dateOf(rules["time.precision.mode"]);
    case "time":
      return timeOf(ownModifier, rules["time.precision.mode"]);
    case "timetz":
      return { ...namedText("io.debezium.time.ZonedTime"), decode: parseZonedTime };
    case "timestamp":
      return timestampOf(ownModifier, rules["time.precision.mode"]);
    case "timestamptz":
      return {
        ...namedText("io.debezium.time.ZonedTimestamp"),
        decode: (text) => zonedTimestampText(parseTimestamp(text), ownModifier < 0 ? 6 : ownModifier),
      };
    case "interval":
      return rules["interval.handling.mode"] === "numeric"
        ? { schema: named(INT64_SCHEMA, "io.debezium.time.MicroDuration"), decode: intervalMicros }
        : { schema: named(STRING_SCHEMA, "io.debezium.time.Interval"), decode: intervalText };
    default:
      return plainColumn(type.name) ?? STRINGS;
  }
}

/** Bits as bytes, the least significant first. Source: java.util.BitSet.toByteArray. */
function bitsOf(name: string, modifier: number): Column {
  if (name === "bit" && modifier === 1) return { schema: BOOLEAN_SCHEMA, decode: (text) => text === "1" };
  const length = modifier < 0 ? 2 ** 31 - 1 : modifier;
  return {
    schema: named(BYTES_SCHEMA, "io.debezium.data.Bits", { length: String(length) }),
    decode(text) {
      const bytes = Buffer.alloc(Math.ceil(text.length / 8));
      let rest = text === "" ? 0n : BigInt(`0b${text}`);
      for (let index = 0; index < bytes.length; index += 1, rest >>= 8n) bytes[index] = Number(rest & 0xffn);
      return bytes;
    },
  };
}

type DecimalMode = ColumnRules["decimal.handling.mode"];

/** Source: Debezium, SpecialValueDecimal. */
const SPECIAL_NUMBERS: Readonly<Record<string, string>> = {
  NaN: "NAN",
  Infinity: "POSITIVE_INFINITY",
  "-Infinity": "NEGATIVE_INFINITY",
};

function numericOf(modifier: number, mode: DecimalMode): Column {
  if (mode === "string") return { ...STRINGS, decode: (text) => SPECIAL_NUMBERS[text] ?? text };
  if (mode === "double") return { schema: FLOAT64_SCHEMA, decode: Number };
  const shape = numericShape(modifier);
  if (shape === null) {
    const schema = withAttributes(VARIABLE_DECIMAL, { version: 1, doc: "Variable scaled decimal" });
    return {
      schema,
      decode(text) {
        const decimal = parseBigDecimal(text);
        return decimal === null ? null : { scale: decimal.scale, value: fromUnscaled(decimal.unscaled) };
      },
    };
  }
  const scale = Math.max(shape.scale, 0);
  const schema = decimalSchema(scale);
  const parameters = { ...schema.parameters, "connect.decimal.precision": String(shape.precision) };
  return {
    schema: withAttributes(schema, { parameters }),
    decode: (text) => (parseBigDecimal(text) === null ? null : fromDecimalText(text, scale)),
  };
}

/** Places of the money type with lc_monetary=C, which our sessions have. */
const MONEY_SCALE = 2;

function moneyOf(mode: DecimalMode): Column {
  const plain = (text: string) => text.replace(/[$,]/g, "");
  if (mode === "string") return { schema: STRING_SCHEMA, decode: plain };
  if (mode === "double") return { schema: FLOAT64_SCHEMA, decode: (text) => Number(plain(text)) };
  return { schema: decimalSchema(MONEY_SCALE), decode: (text) => fromDecimalText(plain(text), MONEY_SCALE) };
}

function binaryOf(mode: BinaryMode): Column {
  const { schema, show } = binaryForm(mode);
  return { schema, decode: (text) => show(Buffer.from(text.slice(2), "hex")) };
}

/** What bytes become. */
export function binaryForm(mode: BinaryMode): { readonly schema: Schema; show(bytes: Buffer): Value } {
  switch (mode) {
    case "bytes":
      return { schema: BYTES_SCHEMA, show: (bytes) => bytes };
    case "hex":
      return { schema: STRING_SCHEMA, show: (bytes) => bytes.toString("hex") };
    case "base64":
      return { schema: STRING_SCHEMA, show: (bytes) => bytes.toString("base64") };
    case "base64-url-safe":
      return { schema: STRING_SCHEMA, show: base64Url };
    default:
      throw new Error(`unreachable: ${mode satisfies never}`);
  }
}

/** As java.util.Base64's encoder for URLs, which pads. */
const base64Url = (bytes: Buffer): string => bytes.toString("base64").replaceAll("+", "-").replaceAll("/", "_");

function hstoreOf(mode: ColumnRules["hstore.handling.mode"]): Column {
  if (mode === "map") {
    return {
      schema: mapSchema(STRING_SCHEMA, optional(STRING_SCHEMA)),
      decode: (text) => new Map(hstoreEntries(text)),
    };
  }
  return {
    schema: named(STRING_SCHEMA, "io.debezium.data.Json"),
    decode: (text) => JSON.stringify(Object.fromEntries(hstoreEntries(text))),
  };
}

/** Well-known binary of a point: byte order, type 1, x, y. */
function pointOf(text: string): Value {
  const match = /^\(([^,]+),([^)]+)\)$/.exec(text);
  if (match === null) throw new DataError(`${text} is no point`);
  const [x, y] = [Number(match[1]), Number(match[2])];
  const wkb = Buffer.alloc(21);
  wkb.writeUInt8(1, 0);
  wkb.writeUInt32LE(1, 1);
  wkb.writeDoubleLE(x, 5);
  wkb.writeDoubleLE(y, 13);
  return { x, y, wkb, srid: null };
}

type TimeMode = ColumnRules["time.precision.mode"];

/** What stands for the ends of time, in microseconds. Source: org.postgresql.PGStatement, DATE_POSITIVE_INFINITY. */
const ENDS: Readonly<Record<Endless, bigint>> = {
  infinity: 9_223_372_036_825_200_000n,
  "-infinity": -9_223_372_036_832_400_000n,
};
const MAX_DAYS = 2 ** 31 - 1;

const microsOf = (text: string): bigint => {
  const micros = parseTimestamp(text);
  return typeof micros === "bigint" ? micros : ENDS[micros];
};

function dateOf(mode: TimeMode): Column {
  const decode = (text: string) => {
    const days = parseDate(text);
    if (days === "infinity") return MAX_DAYS;
    return days === "-infinity" ? -MAX_DAYS - 1 : days;
  };
  return { schema: mode === "connect" ? DATE_SCHEMA : named(INT32_SCHEMA, "io.debezium.time.Date"), decode };
}

function timeOf(modifier: number, mode: TimeMode): Column {
  const milliseconds = (text: string) => Number(parseTime(text) / 1_000n);
  if (mode === "connect") return { schema: TIME_SCHEMA, decode: milliseconds };
  return mode === "adaptive" && modifier >= 0 && modifier <= 3
    ? { schema: named(INT32_SCHEMA, "io.debezium.time.Time"), decode: milliseconds }
    : { schema: named(INT64_SCHEMA, "io.debezium.time.MicroTime"), decode: parseTime };
}

function timestampOf(modifier: number, mode: TimeMode): Column {
  const milliseconds = (text: string) => floorDivide(microsOf(text), 1_000n);
  if (mode === "connect") return { schema: TIMESTAMP_SCHEMA, decode: milliseconds };
  return modifier >= 0 && modifier <= 3
    ? { schema: named(INT64_SCHEMA, "io.debezium.time.Timestamp"), decode: milliseconds }
    : { schema: named(INT64_SCHEMA, "io.debezium.time.MicroTimestamp"), decode: microsOf };
}
