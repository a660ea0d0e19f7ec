import { DataError, type Schema, type SchemaAndValue, type SinkRecord, type Value } from "@headrace/sdk";

/** What is to become of one record in its table. */
export interface Change {
  readonly record: SinkRecord;
  readonly kind: "write" | "delete";
  readonly table: string;
  /** Names of the key's columns, in order. */
  readonly key: readonly string[];
  /** All columns that are written, the key's among them; of a deletion only the key's. */
  readonly columns: readonly Column[];
}

export interface Column {
  readonly name: string;
  readonly value: Value;
  /** null: schemaless. */
  readonly schema: Schema | null;
}

export interface RowRules {
  readonly "table.name.format": string;
  readonly "pk.mode": "none" | "kafka" | "record_key" | "record_value";
  readonly "pk.fields": readonly string[];
  readonly "fields.whitelist": readonly string[];
  readonly "delete.enabled": boolean;
}

const KAFKA_COLUMNS = ["__connect_topic", "__connect_partition", "__connect_offset"];

/** What a record asks for. Throws DataError if it has not what the rules need. */
export function toChange(record: SinkRecord, rules: RowRules): Change {
  const table = rules["table.name.format"].replaceAll("${topic}", record.topic);
  const key = keyOf(record, rules);
  if (record.value.value === null) {
    if (!rules["delete.enabled"]) throw new DataError("the record has no value, and delete.enabled is false");
    return { record, kind: "delete", table, key: key.map(({ name }) => name), columns: key };
  }
  const names = key.map(({ name }) => name);
  const wanted = rules["fields.whitelist"];
  const all = fieldsOf(record.value, "value");
  const fields = wanted.length === 0 ? all : all.filter(({ name }) => wanted.includes(name));
  const columns = key.length === 0 ? fields : [...key, ...fields.filter(({ name }) => !names.includes(name))];
  if (columns.length === 0) throw new DataError("the record has no fields");
  return { record, kind: "write", table, key: names, columns };
}

function keyOf(record: SinkRecord, rules: RowRules): readonly Column[] {
  const names = rules["pk.fields"];
  switch (rules["pk.mode"]) {
    case "none":
      return [];
    case "kafka": {
      const { topic, partition, offset } = record.original;
      const values: readonly [Value, Schema["type"]][] = [
        [topic, "STRING"],
        [partition, "INT32"],
        [offset, "INT64"],
      ];
      return values.map(([value, type], index) => ({
        name: names[index] ?? KAFKA_COLUMNS[index] ?? "",
        value,
        schema: { type, optional: false },
      }));
    }
    case "record_key": {
      const { schema, value } = record.key;
      if (value === null) throw new DataError("the record has no key, and pk.mode is record_key");
      if (isStruct(value)) return pick(fieldsOf(record.key, "key"), names, "key");
      const [name] = names;
      if (name === undefined) throw new DataError("the key is no struct: name its column by pk.fields");
      return [{ name, value, schema }];
    }
    case "record_value":
      if (record.value.value === null)
        throw new DataError("a record without value cannot be deleted with pk.mode=record_value");
      return pick(fieldsOf(record.value, "value"), names, "value");
    default:
      throw new Error(`unreachable: ${rules["pk.mode"] satisfies never}`);
  }
}

function pick(fields: readonly Column[], names: readonly string[], side: string): readonly Column[] {
  if (names.length === 0) return fields;
  return names.map((name) => {
    const field = fields.find((each) => each.name === name);
    if (field === undefined || field.value === null) throw new DataError(`the record's ${side} has no field ${name}`);
    return field;
  });
}

function fieldsOf({ schema, value }: SchemaAndValue, side: string): readonly Column[] {
  if (!isStruct(value)) throw new DataError(`the record's ${side} is no struct and no object`);
  const entries: Iterable<readonly [unknown, Value]> = value instanceof Map ? value : Object.entries(value ?? {});
  if (schema?.type !== "STRUCT")
    return Array.from(entries, ([name, item]) => ({ name: String(name), value: item, schema: null }));
  const values = new Map(entries);
  return (schema.fields ?? []).map((field) => ({
    name: field.name,
    value: values.get(field.name) ?? field.schema.default ?? null,
    schema: field.schema,
  }));
}

function isStruct(value: Value): boolean {
  return (
    value !== null &&
    typeof value === "object" &&
    !Buffer.isBuffer(value) &&
    !Array.isArray(value) &&
    !(value instanceof Date)
  );
}
