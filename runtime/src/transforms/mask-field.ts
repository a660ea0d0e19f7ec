import {
  DATE_NAME,
  DataError,
  DECIMAL_NAME,
  defineTransform,
  fromDecimalText,
  javaClassOf,
  config as key,
  parseBigDecimal,
  type Schema,
  scaleOf,
  TIME_NAME,
  TIMESTAMP_NAME,
  toDouble,
  truncate,
  typeOfValue,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import { admit, fieldOf, fieldsOf, REPLACE_NULL, readField, requireFields, setField } from "./fields.ts";
import { names } from "./names.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

const PURPOSE = "mask fields";

const CONFIG = z.object({
  fields: names().describe("Fields to mask.").meta({ importance: "HIGH" }),
  replacement: key
    .nonEmpty()
    .optional()
    .describe("Replaces numbers and strings in place of zero and the empty string.")
    .meta({ importance: "LOW" }),
  "replace.null.with.default": REPLACE_NULL,
});

const DATES: ReadonlySet<string | undefined> = new Set([DATE_NAME, TIME_NAME, TIMESTAMP_NAME]);

/** The value that says nothing; throws DataError for types that have none. */
function zeroOf(value: NonNullable<Value>, schema: Schema | null): Value {
  if (schema?.name === DECIMAL_NAME) return Buffer.of(0);
  const type = schema === null ? typeOfValue(value) : schema.type;
  switch (type) {
    case null:
      return new Date(0);
    case "BOOLEAN":
      return false;
    case "INT8":
    case "INT16":
    case "INT32":
    case "FLOAT32":
      return 0;
    case "INT64":
      return schema === null ? 0 : 0n;
    case "FLOAT64":
      return schema === null ? toDouble(0) : 0;
    case "STRING":
      return "";
    case "ARRAY":
      return [];
    case "MAP":
      return schema === null ? {} : new Map();
    default:
      throw new DataError(`Cannot mask value of type: class ${javaClassOf(value, schema)}`);
  }
}

/** The replacement in the type of the value it takes the place of. */
function replacementFor(value: NonNullable<Value>, schema: Schema | null, text: string): Value {
  if (DATES.has(schema?.name)) throw unmaskable(value, schema);
  if (schema?.name === DECIMAL_NAME) {
    if (parseBigDecimal(text) === null) {
      throw new DataError(`Unable to convert ${text} (class java.lang.String) to number`);
    }
    return fromDecimalText(text, scaleOf(schema));
  }
  const type = schema === null ? typeOfValue(value) : schema.type;
  switch (type) {
    case "STRING":
      return text;
    case "INT8":
    case "INT16":
    case "INT32":
      return Number(BigInt.asIntN({ INT8: 8, INT16: 16, INT32: 32 }[type], integerOf(text)));
    case "INT64": {
      const integer = BigInt.asIntN(64, integerOf(text));
      return schema === null && Number.isSafeInteger(Number(integer)) ? Number(integer) : integer;
    }
    case "FLOAT32":
      return Math.fround(Number(numberText(text)));
    case "FLOAT64":
      return schema === null ? toDouble(Number(numberText(text))) : Number(numberText(text));
    default:
      throw unmaskable(value, schema);
  }
}

const unmaskable = (value: Value, schema: Schema | null) =>
  new DataError(`Cannot mask value of type class ${javaClassOf(value, schema)} with custom replacement.`);

const notANumber = (text: string) => new DataError(`Unable to convert ${text} (class java.lang.String) to a number`);

function integerOf(text: string): bigint {
  const decimal = parseBigDecimal(text);
  if (decimal === null) throw notANumber(text);
  return truncate(decimal);
}

function numberText(text: string): string {
  if (parseBigDecimal(text) === null) throw notANumber(text);
  return text;
}

/** Masks fields with a zero of their type, or a replacement. Source: org.apache.kafka.connect.transforms.MaskField. */
function defineMaskField(side: Side) {
  return defineTransform({
    name: `mask-field-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("MaskField", side)],
    config: CONFIG,
    compile(config) {
      const masked = new Set(config.fields);
      const { replacement } = config;
      const replaceNull = config["replace.null.with.default"];
      const mask = (value: Value, schema: Schema | null): Value => {
        if (value === null) return null;
        return replacement === undefined ? zeroOf(value, schema) : replacementFor(value, schema, replacement);
      };
      return (record) => {
        const data = side.get(record);
        const { schema } = data;
        const fields = requireFields(data, PURPOSE);
        if (schema === null) {
          const map: Record<string, Value> = { ...fields };
          for (const name of masked) setField(map, name, mask(fieldOf(fields, name), null));
          return side.with(record, { schema: null, value: map });
        }
        const value: Record<string, Value> = {};
        for (const field of fieldsOf(schema)) {
          const item = readField(fields, field, replaceNull);
          const result = masked.has(field.name) ? mask(item, field.schema) : item;
          setField(value, field.name, admit(result, field.name, field.schema));
        }
        return side.with(record, { schema, value });
      };
    },
  });
}

export const maskFieldKey = defineMaskField(KEY);
export const maskFieldValue = defineMaskField(VALUE);
