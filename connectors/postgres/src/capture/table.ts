import {
  DataError,
  type Field,
  optional,
  type Schema,
  type SchemaAndValue,
  structSchema,
  type Value,
  withAttributes,
} from "@headrace/sdk";
import type { Column } from "@headrace/sql";
import type { Rewriting } from "./column-rewrite.ts";
import { envelopeSchema } from "./envelope.ts";
import type { Row } from "./pgoutput.ts";

/** One column of a captured table. */
export interface TableColumn {
  readonly name: string;
  /** Its place in the rows of the stream. */
  readonly index: number;
  readonly column: Column;
  readonly required: boolean;
  /** Its place in the primary key, from 0; -1: it is not part of it. */
  readonly keyPlace: number;
  /** How events show its values; null: as they are. Keys have them as they are in any case. */
  readonly rewriting: Rewriting | null;
}

/** A decoded row. */
export type RowValue = Readonly<Record<string, Value>>;

/** A captured table, ready to make records of its rows. */
export interface CapturedTable {
  readonly schema: string;
  readonly table: string;
  readonly topic: string;
  readonly columns: readonly TableColumn[];
  readonly valueSchema: Schema;
  /** null: the table has no primary key, and no other was asked for. */
  readonly keySchema: Schema | null;
  /** Names of the columns of the records' keys, in place of the primary key; null: that. */
  readonly messageKey: readonly string[] | null;
  readonly envelope: Schema;
}

export interface TableDescription {
  readonly topic: string;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly TableColumn[];
  readonly messageKey: readonly string[] | null;
}

/** The schemas of a table's records, which are named as its topic. Source: Debezium 3.4, "Data change events". */
export function createTable({ topic, schema, table, columns, messageKey }: TableDescription): CapturedTable {
  const fields = columns.map(
    (column): Field => ({
      name: column.name,
      schema: column.rewriting === null ? fieldSchema(column) : marked(fieldSchema(column), column.rewriting),
    }),
  );
  const valueSchema: Schema = { type: "STRUCT", optional: true, name: `${topic}.Value`, fields };
  const key =
    messageKey === null
      ? primaryKeyOf(columns)
      : messageKey.flatMap((wanted) => columns.filter((column) => column.name === wanted));
  const keyFields = Object.fromEntries(key.map((each) => [each.name, fieldSchema(each)]));
  return {
    schema,
    table,
    topic,
    columns,
    valueSchema,
    keySchema: key.length === 0 ? null : structSchema(keyFields, `${topic}.Key`),
    messageKey,
    envelope: envelopeSchema(topic, valueSchema),
  };
}

const fieldSchema = ({ column, required }: TableColumn): Schema => (required ? column.schema : optional(column.schema));

const marked = (schema: Schema, { parameters }: Rewriting): Schema =>
  withAttributes(schema, { parameters: { ...schema.parameters, ...parameters } });

/** The columns of the primary key, in its order; none: there is no such key. */
export function primaryKeyOf(columns: readonly TableColumn[]): readonly TableColumn[] {
  return columns.filter(({ keyPlace }) => keyPlace >= 0).toSorted((a, b) => a.keyPlace - b.keyPlace);
}

/** By which a row is told from others of its table: its primary key as PostgreSQL's texts. null: the row, or the table, does not have it. */
export function identityOf({ columns }: CapturedTable, row: Row): string | null {
  const key = primaryKeyOf(columns).map(({ index }) => row[index] ?? null);
  return key.length === 0 || key.includes(null) ? null : JSON.stringify(key);
}

/** A row as events show it. */
export function shownRow({ columns }: CapturedTable, row: RowValue): RowValue {
  const changed = columns.filter(({ rewriting }) => rewriting !== null);
  if (changed.length === 0) return row;
  const entries = changed.map(({ name, rewriting }) => [name, rewriting?.apply(row[name] ?? null) ?? null]);
  return { ...row, ...Object.fromEntries(entries) };
}

/** The same table with columns that admit null, because there is a row that has none. */
export function loosened(table: CapturedTable, names: ReadonlySet<string>): CapturedTable {
  const columns = table.columns.map((column) => (names.has(column.name) ? { ...column, required: false } : column));
  return createTable({ ...table, columns });
}

/** As topic names: other characters than Avro's and Kafka's become an underscore. Source: Debezium, schema.name.adjustment. */
function sanitized(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, "_");
}

/** Topic of a table. */
export function topicOf(prefix: string, schema: string, table: string, delimiter: string): string {
  return [prefix, schema, table].map(sanitized).join(delimiter);
}

/** A decoded row, and which of its required columns have no value. */
export interface DecodedRow {
  readonly value: RowValue;
  readonly missing: ReadonlySet<string>;
}

/**
 * A row as Connect's values. A cell that is undefined is a large value that the change left as it was: it is taken from `old`, where that has
 * it, and is the placeholder otherwise.
 */
export function decodeRow(table: CapturedTable, row: Row, placeholder: string, old: Row | null = null): DecodedRow {
  const missing = new Set<string>();
  const entries = table.columns.map(({ name, index, column, required }): [string, Value] => {
    const cell = row[index] === undefined ? old?.[index] : row[index];
    const value = cell === undefined ? placeholderOf(column.schema, placeholder) : decodeCell({ name, column }, cell);
    if (value === null && required) missing.add(name);
    return [name, value];
  });
  return { value: Object.fromEntries(entries), missing };
}

/** A row of which only the key is known; what is required besides has an empty value, as with Debezium. */
export function decodeKeyRow(table: CapturedTable, row: Row): RowValue {
  return Object.fromEntries(
    table.columns.map(({ name, index, column, required }): [string, Value] => {
      const cell = row[index] ?? null;
      if (cell !== null) return [name, decodeCell({ name, column }, cell)];
      return [name, required ? emptyOf(column.schema) : null];
    }),
  );
}

/** Throws DataError that names the column. */
function decodeCell({ name, column }: Pick<TableColumn, "name" | "column">, cell: string | null): Value {
  if (cell === null) return null;
  try {
    return column.decode(cell);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(`column ${name}: ${reason}`, { cause });
  }
}

/** The key of a row's records; null for a table without one. */
export function keyOf(table: CapturedTable, value: RowValue): SchemaAndValue | null {
  const schema = table.keySchema;
  if (schema === null) return null;
  return { schema, value: Object.fromEntries((schema.fields ?? []).map(({ name }) => [name, value[name] ?? null])) };
}

/** What stands for a large value that the log does not have; null for types that cannot say so. `hex:` is Debezium's sign of bytes in hexadecimal. */
function placeholderOf(schema: Schema, given: string): Value {
  const hex = given.startsWith("hex:") ? Buffer.from(given.slice(4), "hex") : null;
  const text = hex?.toString() ?? given;
  switch (schema.type) {
    case "STRING":
      return text;
    case "BYTES":
      return schema.name === undefined ? (hex ?? Buffer.from(given)) : null;
    case "ARRAY":
      return schema.valueSchema?.type === "STRING" ? [text] : null;
    case "MAP":
      return new Map<Value, Value>([[text, text]]);
    default:
      return null;
  }
}

/** The empty value of a type. */
function emptyOf(schema: Schema): Value {
  switch (schema.type) {
    case "INT8":
    case "INT16":
    case "INT32":
    case "FLOAT32":
    case "FLOAT64":
      return 0;
    case "INT64":
      return 0n;
    case "BOOLEAN":
      return false;
    case "STRING":
      return "";
    case "BYTES":
      return schema.name === undefined ? Buffer.alloc(0) : Buffer.from([0]);
    case "ARRAY":
      return [];
    case "MAP":
      return new Map();
    case "STRUCT":
      return Object.fromEntries(
        (schema.fields ?? []).map((field) => [field.name, field.schema.optional ? null : emptyOf(field.schema)]),
      );
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
}
