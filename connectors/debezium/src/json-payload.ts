import {
  arraySchema,
  BOOLEAN_SCHEMA,
  DataError,
  exactInteger,
  type Field,
  FLOAT64_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  type Json as JsonOf,
  OPTIONAL_BYTES_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  optional,
  parseExactJson,
  type Schema,
  type SchemaAndValue,
  schemasEqual,
  type Value,
} from "@headrace/sdk";

/** JSON with its numbers told apart: integers are `bigint`, others `number`. */
type Json = JsonOf<bigint | number>;

/**
 * JSON text of an object as a struct whose schema is made of what is there: every field optional, nulls left out or as optional bytes,
 * empty arrays left out. Throws DataError for text that is no JSON object or array, and for arrays of mixed types.
 * Source: io.debezium.transforms.outbox.JsonSchemaData.
 */
export function expandJson(text: string, name: string, nullsAsBytes: boolean): SchemaAndValue {
  if (!text.startsWith("{") && !text.startsWith("["))
    throw new DataError(`Unable to parse payload starting with '${text[0]}'`);
  const json: Json = parseExactJson(text, "the payload", (source, value) => {
    const integer = exactInteger(source, value);
    return integer === null ? value : BigInt(integer);
  });
  const schema = schemaOf(name, json, nullsAsBytes);
  if (schema === null) throw new DataError("an empty array has no schema");
  return { schema, value: dataOf(json, schema) };
}

function schemaOf(name: string, json: Json, nullsAsBytes: boolean): Schema | null {
  if (json === null) return nullsAsBytes ? OPTIONAL_BYTES_SCHEMA : null;
  switch (typeof json) {
    case "string":
      return OPTIONAL_STRING_SCHEMA;
    case "boolean":
      return optional(BOOLEAN_SCHEMA);
    case "number":
      return optional(FLOAT64_SCHEMA);
    case "bigint":
      if (BigInt.asIntN(32, json) === json) return optional(INT32_SCHEMA);
      if (BigInt.asIntN(64, json) === json) return optional(INT64_SCHEMA);
      throw new DataError(`${json} does not fit 64 bits`);
    default:
      break;
  }
  if (isArray(json)) {
    if (json.length === 0) return null;
    return optional(arraySchema(itemSchema(name, json, nullsAsBytes)));
  }
  const fields = Object.entries(json).flatMap(([field, item]): Field[] => {
    const schema = schemaOf(`${name}.${field}`, item, nullsAsBytes);
    return schema === null ? [] : [{ name: field, schema }];
  });
  return { type: "STRUCT", optional: true, name, fields };
}

/** One schema for all items; objects may differ in their fields. */
function itemSchema(name: string, items: readonly Json[], nullsAsBytes: boolean): Schema {
  const schemas = items.filter((item) => item !== null).map((item) => schemaOf(name, item, nullsAsBytes));
  const [first] = schemas;
  if (first === undefined || first === null) throw new DataError(`Array '${name}' has unrecognized member schema.`);
  if (schemas.some((schema) => schema?.type !== first.type)) throw new DataError("Field is not a homogenous array");
  if (first.type !== "STRUCT" || schemas.every((schema) => schemasEqual(schema, first))) return first;
  const fields = new Map<string, Field>();
  for (const schema of schemas) for (const field of schema?.fields ?? []) fields.set(field.name, field);
  return { ...first, optional: false, fields: [...fields.values()] };
}

function dataOf(json: Json, schema: Schema): Value {
  if (json === null) return null;
  if (typeof json === "bigint") return schema.type === "INT64" ? json : Number(json);
  if (typeof json !== "object") return json;
  if (isArray(json)) {
    const { valueSchema } = schema;
    return json.map((item) => (valueSchema === undefined ? null : dataOf(item, valueSchema)));
  }
  const entries = (schema.fields ?? []).map(
    (field) =>
      [field.name, dataOf(Object.hasOwn(json, field.name) ? (json[field.name] ?? null) : null, field.schema)] as const,
  );
  return Object.fromEntries(entries);
}

function isArray(json: Json & object): json is readonly Json[] {
  return Array.isArray(json);
}
