import {
  type ConnectRecord,
  DataError,
  defineTransform,
  INT32_SCHEMA,
  INT64_SCHEMA,
  config as key,
  memoizeSchema,
  optional,
  type Schema,
  STRING_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import { basicsOf, structOf } from "./derived-schema.ts";
import { admit, fieldsOf, REPLACE_NULL, readField, requireFields, setField } from "./fields.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

const field = (what: string) =>
  key
    .text()
    .optional()
    .describe(`Field for the ${what}. A suffix of ! makes it a required field, ? an optional one (the default).`)
    .meta({ importance: "MEDIUM" });

const CONFIG = z
  .object({
    "topic.field": field("topic"),
    "partition.field": field("Kafka partition"),
    "offset.field": field("Kafka offset (sinks only)"),
    "timestamp.field": field("record's timestamp"),
    "static.field": field("static value"),
    "static.value": key.text().optional().describe("The static value.").meta({ importance: "MEDIUM" }),
    "replace.null.with.default": REPLACE_NULL,
  })
  .superRefine((config, context) => {
    const fields = ["topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"] as const;
    if (fields.every((name) => config[name] === undefined)) context.addIssue("No field insertion configured");
    if (config["static.field"] !== undefined && config["static.value"] === undefined) {
      context.addIssue(`No value specified for static field: ${config["static.field"]}`);
    }
  });

const PURPOSE = "field insertion";
const SOURCE_RECORD = "org.apache.kafka.connect.source.SourceRecord";

/** One field to insert. `typed` and `plain` give its value with and without a schema; null: none for this record. */
interface Insertion {
  readonly name: string;
  readonly schema: Schema;
  typed(record: ConnectRecord): Value;
  plain(record: ConnectRecord): Value;
}

function insertionOf(spec: string, schema: Schema, typed: Insertion["typed"], plain = typed): Insertion {
  const suffix = spec.at(-1);
  const name = suffix === "!" || suffix === "?" ? spec.slice(0, -1) : spec;
  return { name, schema: suffix === "!" ? schema : optional(schema), typed, plain };
}

function offsetOf(record: ConnectRecord): bigint {
  if (record.offset === null)
    throw new DataError(`Only SinkRecord supported for [${PURPOSE}], found: ${SOURCE_RECORD}`);
  return record.offset;
}

function toPlainInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function insertionsOf(config: z.output<typeof CONFIG>): readonly Insertion[] {
  const insertions: Insertion[] = [];
  const add = (spec: string | undefined, make: (spec: string) => Insertion) => {
    if (spec !== undefined) insertions.push(make(spec));
  };
  add(config["topic.field"], (spec) => insertionOf(spec, STRING_SCHEMA, (record) => record.topic));
  add(config["partition.field"], (spec) => insertionOf(spec, INT32_SCHEMA, (record) => record.partition));
  add(config["offset.field"], (spec) =>
    insertionOf(spec, INT64_SCHEMA, offsetOf, (record) => toPlainInteger(offsetOf(record))),
  );
  add(config["timestamp.field"], (spec) =>
    insertionOf(
      spec,
      TIMESTAMP_SCHEMA,
      (record) => (record.timestamp === null ? null : BigInt(record.timestamp)),
      (record) => record.timestamp,
    ),
  );
  add(config["static.field"], (spec) => insertionOf(spec, STRING_SCHEMA, () => config["static.value"] ?? null));
  return insertions;
}

/** Source: org.apache.kafka.connect.transforms.InsertField. */
function defineInsertField(side: Side) {
  return defineTransform({
    name: `insert-field-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("InsertField", side)],
    config: CONFIG,
    compile(config) {
      const insertions = insertionsOf(config);
      const replaceNull = config["replace.null.with.default"];
      const extend = memoizeSchema((schema: Schema): Schema => {
        const added = insertions.map(({ name, schema: inserted }) => ({ name, schema: inserted }));
        return structOf([...fieldsOf(schema), ...added], basicsOf(schema));
      });
      return (record) => {
        const data = side.get(record);
        if (data.value === null) return record;
        const fields = requireFields(data, PURPOSE);
        if (data.schema === null) {
          const value: Record<string, Value> = { ...fields };
          for (const each of insertions) {
            const inserted = each.plain(record);
            if (inserted !== null) setField(value, each.name, inserted);
          }
          return side.with(record, { schema: null, value });
        }
        const value: Record<string, Value> = {};
        const schema = extend(data.schema);
        for (const each of fieldsOf(data.schema)) {
          setField(value, each.name, admit(readField(fields, each, replaceNull), each.name, each.schema));
        }
        for (const each of insertions) setField(value, each.name, each.typed(record));
        return side.with(record, { schema, value });
      };
    },
  });
}

export const insertFieldKey = defineInsertField(KEY);
export const insertFieldValue = defineInsertField(VALUE);
