import {
  BOOLEAN_SCHEMA,
  BYTES_SCHEMA,
  DATE_SCHEMA,
  DataError,
  decimalSchema,
  FLOAT32_SCHEMA,
  FLOAT64_SCHEMA,
  fromDecimalText,
  INT8_SCHEMA,
  INT16_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  optional,
  TIME_SCHEMA,
} from "@headrace/sdk";
import {
  type Column,
  type ColumnRules,
  DAY,
  type NamedColumn,
  numericColumn,
  STRINGS,
  timestampColumn,
  timeZoneOf,
} from "@headrace/sql";
import { isZeroDate, parseMoment, parseTimeOfDay } from "./moment.ts";

/** What a user chooses of the types of columns. */
export interface MysqlColumnRules extends ColumnRules {
  readonly "bigint.unsigned.handling.mode": "long" | "precise";
  readonly "tinyint1.as.boolean": boolean;
  readonly "zero.date.behavior": "exception" | "convert_to_null";
}

/** A column as the server describes it. Source: MySQL, "Protocol::ColumnDefinition41". */
export interface FieldInfo {
  readonly name: string;
  readonly columnType: number;
  readonly flags: number;
  readonly columnLength: number;
  readonly decimals: number;
  readonly characterSet: number;
}

/** Source: MySQL, enum_field_types. */
const TYPE = {
  TINY: 1,
  SHORT: 2,
  LONG: 3,
  FLOAT: 4,
  DOUBLE: 5,
  TIMESTAMP: 7,
  LONGLONG: 8,
  INT24: 9,
  DATE: 10,
  TIME: 11,
  DATETIME: 12,
  YEAR: 13,
  NEWDATE: 14,
  BIT: 16,
  JSON: 245,
  NEWDECIMAL: 246,
  VECTOR: 242,
  GEOMETRY: 255,
} as const;
const NOT_NULL_FLAG = 1;
const UNSIGNED_FLAG = 32;
const BINARY_CHARSET = 63;

/** A column of a result. Of a table it is required if it is NOT NULL there; of a query none is, as a join may give no row. */
export function columnOf(field: FieldInfo, isOfTable: boolean, rules: MysqlColumnRules): NamedColumn {
  const { schema, decode } = typeOf(field, rules);
  const isDated = DATED.has(field.columnType) && rules["zero.date.behavior"] === "convert_to_null";
  const isRequired = isOfTable && (field.flags & NOT_NULL_FLAG) !== 0;
  return {
    name: field.name,
    schema: isRequired && !isDated ? schema : optional(schema),
    isRequired,
    decode: isDated ? (text) => (isZeroDate(text) ? null : decode(text)) : decode,
  };
}

const DATED: ReadonlySet<number> = new Set([TYPE.DATE, TYPE.NEWDATE, TYPE.DATETIME, TYPE.TIMESTAMP]);

const BYTES: Column = { schema: BYTES_SCHEMA, decode: (text) => Buffer.from(text, "latin1") };
const INT16: Column = { schema: INT16_SCHEMA, decode: Number };
const INT32: Column = { schema: INT32_SCHEMA, decode: Number };
const INT64: Column = { schema: INT64_SCHEMA, decode: toLong };

function typeOf(field: FieldInfo, rules: MysqlColumnRules): Column {
  const isUnsigned = (field.flags & UNSIGNED_FLAG) !== 0;
  switch (field.columnType) {
    case TYPE.TINY:
      if (field.columnLength === 1 && rules["tinyint1.as.boolean"])
        return { schema: BOOLEAN_SCHEMA, decode: (text) => text !== "0" };
      return isUnsigned ? INT16 : { schema: INT8_SCHEMA, decode: Number };
    case TYPE.SHORT:
      return isUnsigned ? INT32 : INT16;
    case TYPE.INT24:
    case TYPE.YEAR:
      return INT32;
    case TYPE.LONG:
      return isUnsigned ? INT64 : INT32;
    case TYPE.LONGLONG:
      return isUnsigned && rules["bigint.unsigned.handling.mode"] === "precise"
        ? { schema: decimalSchema(0), decode: (text) => fromDecimalText(text, 0) }
        : INT64;
    case TYPE.FLOAT:
      return { schema: FLOAT32_SCHEMA, decode: Number };
    case TYPE.DOUBLE:
      return { schema: FLOAT64_SCHEMA, decode: Number };
    case TYPE.NEWDECIMAL:
      return numericColumn(
        { precision: precisionOf(field, isUnsigned), scale: field.decimals },
        rules["numeric.mapping"],
      );
    case TYPE.DATE:
    case TYPE.NEWDATE:
      return { schema: DATE_SCHEMA, decode: (text) => Number(parseMoment(text) / DAY) };
    case TYPE.DATETIME: {
      const zone = timeZoneOf(rules["db.timezone"]);
      return timestampColumn(rules["timestamp.granularity"], (text) => zone.toUtc(parseMoment(text)));
    }
    case TYPE.TIMESTAMP:
      return timestampColumn(rules["timestamp.granularity"], parseMoment);
    case TYPE.TIME:
      return { schema: TIME_SCHEMA, decode: parseTimeOfDay };
    case TYPE.BIT:
      return field.columnLength === 1 ? { schema: BOOLEAN_SCHEMA, decode: (text) => text !== "\0" } : BYTES;
    case TYPE.GEOMETRY:
    case TYPE.VECTOR:
      throw new DataError(
        `column ${field.name} has a type without a counterpart in Connect: give a query that makes text of it`,
      );
    default:
      return isText(field) ? STRINGS : BYTES;
  }
}

/** Whether the values are dates or times without a zone. */
export const isZoneless = ({ columnType }: FieldInfo): boolean => ZONELESS.has(columnType);
const ZONELESS: ReadonlySet<number> = new Set([TYPE.DATE, TYPE.NEWDATE, TYPE.DATETIME]);

/** Whether the values are characters. JSON counts as binary in the protocol, and is none. */
export function isText({ columnType, characterSet }: FieldInfo): boolean {
  return characterSet !== BINARY_CHARSET || columnType === TYPE.JSON;
}

/** The length has room for the sign and the point. */
function precisionOf({ columnLength, decimals }: FieldInfo, isUnsigned: boolean): number {
  return columnLength - (decimals > 0 ? 1 : 0) - (isUnsigned ? 0 : 1);
}

function toLong(text: string): bigint {
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value)
    throw new DataError(`${text} is more than a 64-bit integer holds; see bigint.unsigned.handling.mode`);
  return value;
}
