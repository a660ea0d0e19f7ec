import { ConfigError, DataError } from "@headrace/sdk";
import { quoteTable } from "../database.ts";
import type { Change } from "./row.ts";
import type { SinkDatabase, Table } from "./sink-database.ts";

export interface TableRules {
  readonly "auto.create": boolean;
  readonly "auto.evolve": boolean;
}

/** What has to be done to a table, so that it can take a change. */
type TableStep = { readonly kind: "create" | "add"; readonly columns: Change["columns"] };

/**
 * Decides that; null: nothing, as for a row to be deleted of a table that may yet be created. Throws ConfigError if there is no table and
 * DataError if it lacks a column, where the rules allow no more.
 */
export function planTable(change: Change, known: Table | null, rules: TableRules): TableStep | null {
  const { table, columns } = change;
  if (known === null) {
    if (!rules["auto.create"]) throw new ConfigError(`table ${table} does not exist, and auto.create is false`);
    return change.kind === "delete" ? null : { kind: "create", columns };
  }
  const missing = columns.filter(({ name }) => known.typeOf(name) === null);
  if (missing.length === 0) return null;
  const names = missing.map(({ name }) => name).join(", ");
  if (!rules["auto.evolve"]) throw new DataError(`table ${table} has no column ${names}, and auto.evolve is false`);
  return { kind: "add", columns: missing };
}

/**
 * The table as a change needs it: created, or with more columns, where the rules allow that; errors as {@link planTable}. null: there is none,
 * and so no row that could be deleted.
 */
export async function ensureTable<C>(
  database: SinkDatabase<C>,
  connection: C,
  needed: { readonly change: Change; readonly known: Table | null; readonly rules: TableRules },
): Promise<Table | null> {
  const { change, known, rules } = needed;
  const step = planTable(change, known, rules);
  if (step === null) return known;
  const name = quoteTable(database, change.table);
  if (step.kind === "create") await database.run(connection, createStatement(database, change, name));
  if (step.kind === "add") {
    // Rows that are there have no value for it, so it admits NULL.
    const added = step.columns.map((column) => `${database.addColumn} ${definitionOf(database, column, change.key)}`);
    try {
      await database.run(connection, `ALTER TABLE ${name} ${added.join(", ")}`);
    } catch (error) {
      // Another task was faster; what is still missing then is told by the next look.
      if (!database.isColumnThere(error)) throw error;
    }
  }
  const read = await database.readTable(connection, change.table);
  if (read === null) throw new ConfigError(`table ${change.table} cannot be found by this name`);
  return read;
}

function createStatement<C>(database: SinkDatabase<C>, { columns, key }: Change, name: string): string {
  const definitions = columns.map((column) => {
    const isRequired = key.includes(column.name) || column.schema?.optional === false;
    return `${definitionOf(database, column, key)}${isRequired ? " NOT NULL" : ""}`;
  });
  if (key.length > 0) definitions.push(`PRIMARY KEY (${key.map(database.quote).join(", ")})`);
  return `CREATE TABLE IF NOT EXISTS ${name} (${definitions.join(", ")})`;
}

function definitionOf<C>(
  database: SinkDatabase<C>,
  { name, schema }: Change["columns"][number],
  key: readonly string[],
): string {
  if (schema === null) throw new DataError(`column ${name} cannot be made: the record has no schema`);
  return `${database.quote(name)} ${database.columnTypeOf(schema, key.includes(name))}`;
}
