import { ConfigError, config } from "@headrace/sdk";
import type { Client } from "pg";
import { quote } from "../connection.ts";

/** A table or view of the connected database. */
export interface TableName {
  readonly database: string;
  readonly schema: string;
  readonly table: string;
}

export type TableType = "TABLE" | "VIEW" | "MATERIALIZED VIEW" | "FOREIGN TABLE";

export interface TableRules {
  readonly "table.whitelist": readonly string[];
  readonly "table.blacklist": readonly string[];
  readonly "table.include.list": readonly string[];
  readonly "table.exclude.list": readonly string[];
  readonly "table.types": readonly TableType[];
  readonly "schema.pattern": string;
}

/** pg_class.relkind of each type; a partitioned table is one table, and its partitions are none. */
const KINDS: Readonly<Record<TableType, readonly string[]>> = {
  TABLE: ["r", "p"],
  VIEW: ["v"],
  "MATERIALIZED VIEW": ["m"],
  "FOREIGN TABLE": ["f"],
};

/** All that could be read by name, in a steady order. */
export async function listTables(client: Client, rules: TableRules): Promise<readonly TableName[]> {
  const { rows } = await client.query<TableName>(
    `SELECT current_database() AS database, nspname AS schema, relname AS table
     FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind = ANY($1::"char"[]) AND NOT relispartition AND nspname !~ '^pg_' AND nspname <> 'information_schema'
       AND ($2 = '' OR nspname LIKE $2) ORDER BY nspname, relname`,
    [rules["table.types"].flatMap((type) => KINDS[type]), rules["schema.pattern"]],
  );
  return selectTables(rows, rules);
}

/** Those of the tables that the lists admit. A name may have its schema and database before it, or not. */
export function selectTables(tables: readonly TableName[], rules: TableRules): readonly TableName[] {
  const isNamed = (list: readonly string[], table: TableName) => namesOf(table).some((name) => list.includes(name));
  const include = rules["table.include.list"].map(config.fullMatch);
  const exclude = rules["table.exclude.list"].map(config.fullMatch);
  const isMatched = (list: readonly RegExp[], table: TableName) =>
    namesOf(table).some((name) => list.some((pattern) => pattern.test(name)));
  return tables.filter((table) => {
    if (isNamed(rules["table.blacklist"], table) || isMatched(exclude, table)) return false;
    if (rules["table.whitelist"].length === 0 && include.length === 0) return true;
    return isNamed(rules["table.whitelist"], table) || isMatched(include, table);
  });
}

/** From the longest form to the shortest. */
function namesOf({ database, schema, table }: TableName): readonly string[] {
  return [`${database}.${schema}.${table}`, `${schema}.${table}`, table];
}

/** A topic is named by its table alone: throws ConfigError if two tables would share one. */
export function checkTopics(tables: readonly TableName[]): void {
  const seen = new Map<string, TableName>();
  for (const table of tables) {
    const other = seen.get(table.table);
    if (other !== undefined) {
      throw new ConfigError(
        `tables ${other.schema}.${other.table} and ${table.schema}.${table.table} would share a topic: give schema.pattern or the lists so that one remains`,
      );
    }
    seen.set(table.table, table);
  }
}

/** At most so many lists, as even as can be, tables in their order. */
export function splitTables(tables: readonly TableName[], count: number): readonly (readonly TableName[])[] {
  const groups = Math.min(count, tables.length);
  return Array.from({ length: groups }, (_, group) =>
    tables.slice(Math.ceil((group * tables.length) / groups), Math.ceil(((group + 1) * tables.length) / groups)),
  );
}

/** As SQL writes it. */
export const sqlName = ({ schema, table }: TableName): string => `${quote(schema)}.${quote(table)}`;

/** As JDBC sources name it in their source partitions. */
export const fullName = ({ database, schema, table }: TableName): string => `${database}.${schema}.${table}`;
