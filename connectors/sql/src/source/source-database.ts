import type { Database } from "../database.ts";
import type { Row, RowShape } from "./row-shape.ts";
import type { SourceSettings } from "./settings.ts";
import type { Statement, StatementStyle } from "./statement.ts";
import type { TableName } from "./table-name.ts";

/** What a query source asks of a database. */
export interface SourceDatabase<C> extends Database<C>, StatementStyle {
  /** All tables of the kinds that are wanted, in a steady order. */
  listTables(connection: C, settings: SourceSettings): Promise<readonly TableName[]>;
  /** A table as SQL writes it. */
  quoteTableName(table: TableName): string;
  /** How columns are called that count by themselves, for messages. */
  readonly countingColumn: string;
  /** The columns of a table that count by themselves. */
  countingColumns(connection: C, table: TableName): Promise<readonly string[]>;
  /** The database's clock, microseconds since the epoch. */
  now(connection: C): Promise<bigint>;
  /** Those of the columns of a table, or a query in brackets, whose times have no zone. */
  zonelessColumns(connection: C, from: string, columns: readonly string[]): Promise<readonly string[]>;
  /** Microseconds since the epoch of a point in time as rows have it; without a zone as if it were UTC. Throws ConfigError if it is none. */
  toMicros(text: string): bigint;
  /** Runs a statement and stays at its rows, `batch` at a time. The connection has no other work until the cursor is at its end. */
  openCursor(connection: C, statement: Statement, options: CursorOptions): Promise<RowCursor>;
}

export interface CursorOptions {
  readonly batch: number;
  /** Of the table; null: of a query. */
  readonly name: string | null;
}

/** Rows of a statement that is under way. */
export interface RowCursor {
  /** The next rows; fewer than a batch: there are no more. Whatever fails costs the connection. */
  read(): Promise<{ readonly shape: RowShape; readonly rows: readonly Row[] }>;
  /** After the last rows: the connection is free for other work. */
  end(): Promise<void>;
}
