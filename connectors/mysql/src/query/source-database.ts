import { ConfigError, DataError } from "@headrace/sdk";
import type { ConnectionSettings } from "@headrace/sql";
import { createRowShape, type Operand, type SourceDatabase, type TableName, timestampText } from "@headrace/sql";
import type { Connection, Raw } from "../connection.ts";
import { databaseOf } from "../database.ts";
import { quote, textLiteral } from "../sql-text.ts";
import { columnOf, type FieldInfo, isZoneless, type MysqlColumnRules } from "./column.ts";
import { parseMoment } from "./moment.ts";

/** Kinds of tables, as JDBC calls them. */
export const TABLE_TYPES = ["TABLE", "VIEW"] as const;
type TableType = (typeof TABLE_TYPES)[number];

/** information_schema.tables.table_type of each. */
const KINDS: Readonly<Record<TableType, readonly string[]>> = {
  TABLE: ["BASE TABLE", "SYSTEM VERSIONED"],
  VIEW: ["VIEW"],
};

const SYSTEM_DATABASES = ["mysql", "information_schema", "performance_schema", "sys"];

type Settings = ConnectionSettings &
  MysqlColumnRules & { readonly "table.types": readonly TableType[]; readonly "catalog.pattern": string };

/** MySQL and MariaDB as a query source sees them. */
export function sourceDatabaseOf(settings: Settings): SourceDatabase<Connection> {
  return {
    ...databaseOf(settings),
    countingColumn: "AUTO_INCREMENT",
    operand,
    quoteTableName,
    async listTables(connection) {
      const pattern = settings["catalog.pattern"];
      const kinds = settings["table.types"].flatMap((type) => KINDS[type]).map(textLiteral);
      const where = pattern === "" ? "table_schema = DATABASE()" : `table_schema LIKE ${textLiteral(pattern)}`;
      const rows = await connection.query(
        `SELECT table_schema, table_name FROM information_schema.tables
         WHERE table_type IN (${kinds.join(", ")}) AND ${where}
           AND table_schema NOT IN (${SYSTEM_DATABASES.map(textLiteral).join(", ")}) ORDER BY table_schema, table_name`,
      );
      return rows.map(([database, table]) => ({ database: String(database), schema: null, table: String(table) }));
    },
    async countingColumns(connection, table) {
      const rows = await connection.query(
        `SHOW COLUMNS FROM ${quoteTableName(table)} WHERE Extra LIKE '%auto_increment%'`,
      );
      return rows.map(([column]) => String(column));
    },
    async zonelessColumns(connection, from, columns) {
      const rows = await connection.open(`SELECT * FROM ${from} LIMIT 0`, 1);
      await rows.read();
      const zoneless = rows.fields.map(toFieldInfo).filter(isZoneless);
      const isAmong = (name: string) => zoneless.some((field) => field.name.toLowerCase() === name.toLowerCase());
      return columns.filter(isAmong);
    },
    async now(connection) {
      const [[seconds = "0"] = []] = await connection.query("SELECT UNIX_TIMESTAMP(NOW(6))");
      const [whole = "0", fraction = ""] = String(seconds).split(".");
      return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
    },
    toMicros(text) {
      try {
        return parseMoment(text);
      } catch (cause) {
        throw new ConfigError(`timestamp.column.name needs points in time, not ${text}`, { cause });
      }
    },
    async openCursor(connection, { text }, { batch, name }) {
      const rows = await connection.open(text, batch);
      const columns = rows.fields.map((field) => columnOf(toFieldInfo(field), name !== null, settings));
      const shape = createRowShape(name, columns);
      return {
        async read() {
          return { shape, rows: (await rows.read()).map((row) => row.map(toText)) };
        },
        end: async () => {}, // The last rows have been its end.
      };
    },
  };
}

function operand(given: Operand): string {
  return given.kind === "integer" ? String(given.value) : `TIMESTAMP'${timestampText(given.micros)}'`;
}

function quoteTableName({ database, table }: TableName): string {
  return `${quote(database)}.${quote(table)}`;
}

/** What the driver's types do not tell of a column. */
function toFieldInfo(field: object): FieldInfo {
  return field as FieldInfo;
}

/** Bytes as text with one character each. */
function toText(cell: Raw): string | null {
  if (cell === null || typeof cell === "string") return cell;
  if (typeof cell === "number") return String(cell);
  if (Buffer.isBuffer(cell)) return cell.toString("latin1");
  throw new DataError("a value has a type without a counterpart in Connect");
}
