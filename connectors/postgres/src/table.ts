import { ConfigError, DataError } from "@headrace/sdk";
import type { Client } from "pg";
import { columnTypeOf } from "./cell.ts";
import { quote, quoteTable } from "./connection.ts";
import type { Change } from "./row.ts";

/** A table's columns with their types, as SQL writes them. */
export type Table = ReadonlyMap<string, string>;

/** Reads the columns; null: there is no such table. */
export async function readTable(client: Client, name: string): Promise<Table | null> {
  const { rows } = await client.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [quoteTable(name)],
  );
  return rows.length === 0 ? null : new Map(rows.map((row) => [row.name, row.type]));
}

export interface TableRules {
  readonly "auto.create": boolean;
  readonly "auto.evolve": boolean;
}

/**
 * The table as a change needs it: created, or with more columns, where the rules allow that. Throws ConfigError if there is none and DataError
 * if it lacks a column.
 */
export async function ensureTable(
  client: Client,
  change: Change,
  known: Table | null,
  rules: TableRules,
): Promise<Table> {
  const { table, columns, key } = change;
  if (known === null) {
    if (!rules["auto.create"] || change.kind === "delete")
      throw new ConfigError(`table ${table} does not exist, and auto.create is false`);
    const definitions = columns.map((column) => `${definitionOf(column)}${isRequired(column, key) ? " NOT NULL" : ""}`);
    if (key.length > 0) definitions.push(`PRIMARY KEY (${key.map(quote).join(", ")})`);
    await client.query(`CREATE TABLE IF NOT EXISTS ${quoteTable(table)} (${definitions.join(", ")})`);
  } else {
    const missing = columns.filter(({ name }) => !known.has(name));
    if (missing.length === 0) return known;
    const names = missing.map(({ name }) => name).join(", ");
    if (!rules["auto.evolve"]) throw new DataError(`table ${table} has no column ${names}, and auto.evolve is false`);
    // Rows that are there have no value for it, so it admits NULL.
    const added = missing.map((column) => `ADD COLUMN IF NOT EXISTS ${definitionOf(column)}`);
    await client.query(`ALTER TABLE ${quoteTable(table)} ${added.join(", ")}`);
  }
  const read = await readTable(client, table);
  if (read === null) throw new ConfigError(`table ${table} is not on the search path`);
  return read;
}

function definitionOf({ name, schema }: Change["columns"][number]): string {
  if (schema === null) throw new DataError(`column ${name} cannot be made: the record has no schema`);
  return `${quote(name)} ${columnTypeOf(schema)}`;
}

function isRequired({ name, schema }: Change["columns"][number], key: readonly string[]): boolean {
  return key.includes(name) || schema?.optional === false;
}
