import {
  arraySchema,
  INT32_SCHEMA,
  INT64_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  optional,
  type Schema,
  type SchemaAndValue,
  type SinkRecord,
  STRING_SCHEMA,
  structSchema,
  TIMESTAMP_SCHEMA,
  toText,
  type Value,
} from "@headrace/sdk";

/** What objects may have of a record. Source of the names: Aiven's S3 sink, format.output.fields. */
export const OUTPUT_FIELDS = ["value", "key", "topic", "partition", "offset", "timestamp", "headers"] as const;
export type OutputField = (typeof OUTPUT_FIELDS)[number];

const HEADERS = arraySchema(structSchema({ key: STRING_SCHEMA, value: OPTIONAL_STRING_SCHEMA }, "header"));

/**
 * What goes into objects: the value alone, or a struct of these fields. Headers are texts there. Without a schema of key or value the whole
 * has none.
 */
export function createEnvelope(fields: readonly OutputField[]): (record: SinkRecord) => SchemaAndValue {
  if (fields.length === 1 && fields[0] === "value") return (record) => record.value;
  const schemaFor = createSchemas(fields);
  return (record) => {
    const value: Record<string, Value> = {};
    for (const field of fields) value[field] = partOf(record, field);
    return { schema: schemaFor(record), value };
  };
}

function partOf(record: SinkRecord, field: OutputField): Value {
  switch (field) {
    case "value":
      return record.value.value;
    case "key":
      return record.key.value;
    case "topic":
      return record.original.topic;
    case "partition":
      return record.original.partition;
    case "offset":
      return record.original.offset;
    case "timestamp":
      return record.timestamp === null ? null : BigInt(record.timestamp);
    case "headers":
      return record.headers.map(({ key, ...data }) => ({ key, value: data.value === null ? null : toText(data) }));
    default:
      throw new Error(`unreachable: ${field satisfies never}`);
  }
}

/** The same schema object for the same schemas of key and value. */
function createSchemas(fields: readonly OutputField[]): (record: SinkRecord) => Schema | null {
  const made = new WeakMap<Schema, WeakMap<Schema, Schema>>();
  const absent: Schema = OPTIONAL_STRING_SCHEMA;
  return (record) => {
    const lacks = ({ schema, value }: SchemaAndValue) => schema === null && value !== null;
    if ((fields.includes("key") && lacks(record.key)) || (fields.includes("value") && lacks(record.value))) return null;
    const key = record.key.schema ?? absent;
    const value = record.value.schema ?? absent;
    const byValue = made.get(key) ?? new WeakMap<Schema, Schema>();
    made.set(key, byValue);
    let schema = byValue.get(value);
    if (schema === undefined) {
      const types: Readonly<Record<OutputField, Schema>> = {
        value: optional(value),
        key: optional(key),
        topic: STRING_SCHEMA,
        partition: INT32_SCHEMA,
        offset: INT64_SCHEMA,
        timestamp: optional(TIMESTAMP_SCHEMA),
        headers: HEADERS,
      };
      schema = structSchema(Object.fromEntries(fields.map((field) => [field, types[field]])), "record");
      byValue.set(value, schema);
    }
    return schema;
  };
}
