import { ConfigError } from "@headrace/sdk";
import { type ColumnRules, type RowShape, type SourceDatabase, type TableName, timestampText } from "@headrace/sql";
import type { Client, QueryArrayConfig } from "pg";
import { databaseOf, quote } from "../connection.ts";
import { AS_TEXT } from "../types/as-text.ts";
import { parseTimestamp } from "../types/moment.ts";
import { createTypeCatalog } from "../types/pg-type.ts";
import { readRowShape } from "./row-shape.ts";

/** Kinds of tables, as JDBC calls them. */
export const TABLE_TYPES = ["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"] as const;
type TableType = (typeof TABLE_TYPES)[number];

/** pg_class.relkind of each type; a partitioned table is one table, and its partitions are none. */
const KINDS: Readonly<Record<TableType, readonly string[]>> = {
  TABLE: ["r", "p"],
  VIEW: ["v"],
  "MATERIALIZED VIEW": ["m"],
  "FOREIGN TABLE": ["f"],
};

/** Object ids of date and timestamp. Source: PostgreSQL, pg_type.dat. */
const ZONELESS: ReadonlySet<number> = new Set([1082, 1114]);

const CURSOR = "headrace_rows";

type Settings = Parameters<typeof databaseOf>[0] &
  ColumnRules & { readonly "table.types": readonly TableType[]; readonly "schema.pattern": string };

/** PostgreSQL as a query source sees it. */
export function sourceDatabaseOf(settings: Settings): SourceDatabase<Client> {
  const types = createTypeCatalog();
  return {
    ...databaseOf(settings),
    countingColumn: "identity or serial",
    operand: (operand, values) =>
      `$${values.push(operand.kind === "integer" ? String(operand.value) : timestampText(operand.micros))}`,
    quoteTableName,
    async listTables(client) {
      const { rows } = await client.query<TableName>(
        `SELECT current_database() AS database, nspname AS schema, relname AS table
         FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
         WHERE relkind = ANY($1::"char"[]) AND NOT relispartition AND nspname !~ '^pg_' AND nspname <> 'information_schema'
           AND ($2 = '' OR nspname LIKE $2) ORDER BY nspname, relname`,
        [settings["table.types"].flatMap((type) => KINDS[type]), settings["schema.pattern"]],
      );
      return rows;
    },
    async countingColumns(client, table) {
      const { rows } = await client.query<{ name: string }>(
        `SELECT attname AS name FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
           AND (attidentity <> '' OR pg_get_expr(adbin, adrelid) LIKE 'nextval(%')`,
        [quoteTableName(table)],
      );
      return rows.map(({ name }) => name);
    },
    async zonelessColumns(client, from, columns) {
      const { fields } = await client.query(`SELECT * FROM ${from} LIMIT 0`);
      return columns.filter((name) => ZONELESS.has(fields.find((field) => field.name === name)?.dataTypeID ?? 0));
    },
    async now(client) {
      const { rows } = await client.query<{ now: string }>(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now",
      );
      return BigInt(rows[0]?.now ?? 0);
    },
    toMicros(text) {
      const micros = parseTimestamp(text);
      if (typeof micros !== "bigint")
        throw new ConfigError(`timestamp.column.name needs points in time, not ${micros}`);
      return micros;
    },
    async openCursor(client, { text, values }, { batch, name }) {
      await client.query("BEGIN");
      await client.query(`DECLARE ${CURSOR} NO SCROLL CURSOR FOR ${text}`, [...values]);
      const query: QueryArrayConfig = { text: `FETCH ${batch} FROM ${CURSOR}`, rowMode: "array", types: AS_TEXT };
      let shape: RowShape | null = null;
      return {
        async read() {
          const { rows, fields } = await client.query<(string | null)[]>(query);
          shape ??= await readRowShape(client, { fields, name, types, rules: settings });
          return { shape, rows };
        },
        async end() {
          await client.query("COMMIT");
        },
      };
    },
  };
}

function quoteTableName({ schema, table }: TableName): string {
  return schema === null ? quote(table) : `${quote(schema)}.${quote(table)}`;
}
