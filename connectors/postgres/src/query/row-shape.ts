import { ConfigError, DataError, optional, type Schema, type SchemaAndValue, type Value } from "@headrace/sdk";
import type { Client, FieldDef } from "pg";
import type { Column } from "../types/column.ts";
import type { TypeCatalog } from "../types/pg-type.ts";
import { type ColumnRules, columnOf } from "./column.ts";

/** A row as PostgreSQL's text. */
export type Row = readonly (string | null)[];

/** What the rows of one result look like. */
export interface RowShape {
  readonly schema: Schema;
  /** Index of a column. Throws ConfigError if there is none. */
  indexOf(name: string): number;
  /** Type of a column, as pg_type calls it. */
  typeOf(index: number): string;
  toValue(row: Row): SchemaAndValue;
}

interface ColumnRow {
  readonly relation: string;
  readonly number: number;
  readonly required: boolean;
}

/**
 * The shape of a result. Of a table (`name` is not null) columns are required that are NOT NULL there; of a query all admit null, as a join
 * may give none.
 */
export async function readRowShape(
  client: Client,
  options: {
    readonly fields: readonly FieldDef[];
    readonly name: string | null;
    readonly types: TypeCatalog;
    readonly rules: ColumnRules;
  },
): Promise<RowShape> {
  const { fields, name, types, rules } = options;
  await types.load(
    client,
    fields.map((field) => field.dataTypeID),
  );
  const required = name === null ? new Set<string>() : await readRequired(client, fields);
  const columns = fields.map((field): Column & { readonly name: string; readonly type: string } => {
    const type = types.get(field.dataTypeID);
    const column = columnOf(type, field.dataTypeModifier, rules);
    const schema = required.has(`${field.tableID} ${field.columnID}`) ? column.schema : optional(column.schema);
    return { name: field.name, type: type.name, schema, decode: column.decode };
  });
  const places = new Map(columns.map((column, index) => [column.name, index]));
  if (places.size < columns.length) throw new ConfigError("two columns of the query have one name: give them aliases");
  const schema: Schema = {
    type: "STRUCT",
    optional: false,
    ...(name !== null && { name }),
    fields: columns.map((column) => ({ name: column.name, schema: column.schema })),
  };
  return {
    schema,
    indexOf(column) {
      const place = places.get(column);
      if (place === undefined) throw new ConfigError(`there is no column ${column} in ${name ?? "the query"}`);
      return place;
    },
    typeOf: (index) => columns[index]?.type ?? "",
    toValue(row) {
      const value: Record<string, Value> = {};
      for (const [index, column] of columns.entries()) {
        const text = row[index] ?? null;
        try {
          value[column.name] = text === null ? null : column.decode(text);
        } catch (cause) {
          const reason = cause instanceof Error ? cause.message : String(cause);
          throw new DataError(`column ${column.name} of ${name ?? "the query"}: ${reason}`, { cause });
        }
      }
      return { schema, value };
    },
  };
}

async function readRequired(client: Client, fields: readonly FieldDef[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<ColumnRow>(
    `SELECT attrelid::int8 AS relation, attnum AS number, attnotnull AS required
     FROM pg_attribute WHERE attrelid = ANY($1::oid[]) AND attnum > 0 AND attnotnull`,
    [[...new Set(fields.map((field) => field.tableID))]],
  );
  return new Set(rows.map(({ relation, number }) => `${relation} ${number}`));
}
