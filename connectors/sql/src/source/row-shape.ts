import { ConfigError, DataError, type Schema, type SchemaAndValue, type Value } from "@headrace/sdk";
import type { Column } from "./column.ts";

/** A row as the database's text; null for NULL. */
export type Row = readonly (string | null)[];

/** What the rows of one result look like. */
export interface RowShape {
  readonly schema: Schema;
  /** Index of a column. Throws ConfigError if there is none. */
  indexOf(name: string): number;
  /** Whether the database has a column as NOT NULL. Throws ConfigError if there is none. */
  isRequired(name: string): boolean;
  toValue(row: Row): SchemaAndValue;
}

/** A column of a result; its schema admits null where the column does. */
export interface NamedColumn extends Column {
  readonly name: string;
  /** Whether the database has it as NOT NULL; its schema may admit null nevertheless. */
  readonly isRequired: boolean;
}

/** The shape of a result with these columns. `name` is that of the table; null: a query. Throws ConfigError if two columns have one name. */
export function createRowShape(name: string | null, columns: readonly NamedColumn[]): RowShape {
  const places = new Map(columns.map((column, index) => [column.name, index]));
  if (places.size < columns.length) throw new ConfigError("two columns of the query have one name: give them aliases");
  const schema: Schema = {
    type: "STRUCT",
    optional: false,
    ...(name !== null && { name }),
    fields: columns.map((column) => ({ name: column.name, schema: column.schema })),
  };
  function indexOf(column: string): number {
    const place = places.get(column);
    if (place === undefined) throw new ConfigError(`there is no column ${column} in ${name ?? "the query"}`);
    return place;
  }
  return {
    schema,
    indexOf,
    isRequired: (column) => columns[indexOf(column)]?.isRequired === true,
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
