import type { Schema, TopicPartition } from "@headrace/sdk";
import type { Database } from "../database.ts";
import type { InsertMode } from "./alike.ts";
import type { Change } from "./row.ts";

/** A table that is there. */
export interface Table {
  /** Type of a column, as SQL writes it; null: there is no such column. */
  typeOf(column: string): string | null;
}

/** What a sink asks of a database. */
export interface SinkDatabase<C> extends Database<C> {
  /** `false`: a statement that makes or changes a table ends the transaction, so they come before it. */
  readonly hasTransactionalDdl: boolean;
  /** What stands before a new column's definition in ALTER TABLE. */
  readonly addColumn: string;
  /** Runs a statement that answers nothing. */
  run(connection: C, sql: string): Promise<void>;
  /** Whether another record might have been taken: bad data, a violated constraint, a wrong type. DataErrors need not be known. */
  isOfRecord(error: unknown): boolean;
  /** Whether an error says that a column to be added is there already. */
  isColumnThere(error: unknown): boolean;
  /** Reads the columns; null: there is no such table. */
  readTable(connection: C, name: string): Promise<Table | null>;
  /** The type of a new column. */
  columnTypeOf(schema: Schema, isKey: boolean): string;
  /**
   * Writes changes that are alike, in their order: afterwards each row is what the last of its changes made of it. Throws DataError for a value
   * that has no form in SQL.
   */
  writeAlike(connection: C, changes: readonly Change[], options: WriteOptions): Promise<void>;
  /** The table of positions, by its name. */
  positionTable(name: string): PositionTable<C>;
}

export interface WriteOptions {
  readonly table: Table;
  readonly mode: InsertMode;
}

/** Of a connector, in its target database. */
export interface Place extends TopicPartition {
  readonly connector: string;
}

/** Statements on the table of positions: the next offset of each partition of each connector. */
export interface PositionTable<C> {
  /** Creates it where it is missing. */
  create(connection: C): Promise<void>;
  /** All of a connector. */
  list(connection: C, connector: string): Promise<readonly (TopicPartition & { readonly next: bigint })[]>;
  /** Within a transaction: the next offset, -1 where there was none; others who lock it wait for the transaction's end. */
  lock(connection: C, place: Place): Promise<bigint>;
  /** Within that transaction. */
  move(connection: C, place: Place, next: bigint): Promise<void>;
}
