import { ConfigError, RetriableError } from "@headrace/sdk";
import type { Client } from "pg";
import { close, connect, quote, toRetriable, withAbort } from "../connection.ts";
import { sqlState } from "../sql-state.ts";
import type { TypeCatalog } from "../types/pg-type.ts";
import { columnOf } from "./column.ts";
import { rewritesOf, rewritingOf } from "./column-rewrite.ts";
import { isCaptured, isColumnCaptured } from "./filter.ts";
import { type CatalogColumn, keyPlacesOf } from "./key-place.ts";
import { parseLsn } from "./lsn.ts";
import { messageKeyOf } from "./message-key.ts";
import type { Relation } from "./pgoutput.ts";
import { connectionOf, type Settings } from "./settings.ts";
import { type CapturedTable, createTable, type TableColumn, topicOf } from "./table.ts";

/** Connects, and begins with `database.initial.statements`. */
export async function openClient(settings: Settings, signal: AbortSignal, replication = false): Promise<Client> {
  const client = await connect(connectionOf(settings), signal, replication);
  const statements = settings["database.initial.statements"];
  if (statements === "" || replication) return client;
  try {
    await withAbort(client, signal, () => client.query(statements));
  } catch (error) {
    await close(client);
    throw toRetriable(error);
  }
  return client;
}

/** A table to be read. */
export interface TableId {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  /** A partitioned table, whose rows are in its partitions. */
  readonly isRoot: boolean;
}

/** As the configuration names it. */
export const nameOf = ({ schema, table }: Pick<TableId, "schema" | "table">): string => `${schema}.${table}`;

/** All tables, in a steady order; of a partitioned table itself (`viaRoot`) or its partitions. */
export async function listTables(client: Client, viaRoot: boolean): Promise<readonly TableId[]> {
  const { rows } = await client.query<TableId & { isPartition: boolean }>(
    `SELECT c.oid::int8::float8 AS oid, nspname AS schema, relname AS table, relkind = 'p' AS "isRoot", relispartition AS "isPartition"
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind IN ('r', 'p') AND relpersistence = 'p' ORDER BY nspname, relname`,
  );
  return rows.filter(({ isRoot, isPartition }) => (viaRoot ? !isPartition : !isRoot));
}

/** The captured tables whose changes are published. */
export async function listPublished(client: Client, settings: Settings): Promise<readonly TableId[]> {
  const name = settings["publication.name"];
  const { rows } = await client.query<{ schema: string; table: string; root: boolean }>(
    `SELECT schemaname AS schema, tablename AS table, pubviaroot AS root
     FROM pg_publication_tables t JOIN pg_publication p USING (pubname) WHERE pubname = $1`,
    [name],
  );
  const published = new Set(rows.map(({ schema, table }) => JSON.stringify([schema, table])));
  const tables = await listTables(client, rows[0]?.root ?? false);
  return tables
    .filter(({ schema, table }) => isCaptured(settings, schema, table))
    .filter(({ schema, table }) => published.has(JSON.stringify([schema, table])));
}

interface ColumnFacts extends CatalogColumn {
  readonly type: number;
  readonly modifier: number;
  readonly required: boolean;
}

async function readColumns(client: Client, oid: number): Promise<readonly ColumnFacts[]> {
  const { rows } = await client.query<ColumnFacts>(
    `SELECT attname AS name, atttypid::int8::float8 AS type, atttypmod AS modifier, attnotnull AS required,
       (SELECT array_position(indkey::int2[], attnum) - array_lower(indkey::int2[], 1)
        FROM pg_index WHERE indrelid = attrelid AND indisprimary) AS "keyPlace"
     FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
    [oid],
  );
  return rows;
}

/** A table as the catalog has it now: its columns are those of {@link selectList}, in that order. */
export async function describeTable(
  client: Client,
  types: TypeCatalog,
  settings: Settings,
  { oid, schema, table }: TableId,
): Promise<CapturedTable> {
  const relation: Relation = {
    id: oid,
    schema,
    table,
    identity: "d",
    columns: (await readColumns(client, oid)).map(({ name, type, modifier }) => ({
      name,
      type,
      modifier,
      isKey: false,
    })),
  };
  return await describeRelation(client, types, settings, relation);
}

/** A table as the stream describes it; the catalog adds which columns are required, and which are the key. */
export async function describeRelation(
  client: Client,
  types: TypeCatalog,
  settings: Settings,
  relation: Relation,
): Promise<CapturedTable> {
  const { schema, table } = relation;
  const facts = await readColumns(client, relation.id);
  await types.load(
    client,
    relation.columns.map(({ type }) => type),
  );
  const rewrites = rewritesOf(settings);
  const keyPlaces = keyPlacesOf(relation, facts);
  const columns = relation.columns.map(({ name, type, modifier }, index): TableColumn => {
    const fact = facts.find((each) => each.name === name);
    const keyPlace = keyPlaces[index] ?? -1;
    const pgType = types.get(type);
    const column = columnOf(pgType, modifier, settings);
    const own = modifier < 0 ? pgType.modifier : modifier;
    const length = own < VARIABLE_HEADER ? null : own - VARIABLE_HEADER;
    const facets = { name: `${schema}.${table}.${name}`, type: pgType.kind === "other" ? pgType.name : "", length };
    const rewriting = rewritingOf(facets, rewrites);
    return { name, index, column, keyPlace, required: (fact?.required ?? false) || keyPlace >= 0, rewriting };
  });
  const names = columns.map(({ name }) => name);
  const messageKey = messageKeyOf(settings["message.key.columns"], `${schema}.${table}`, names);
  const captured = columns.filter(
    ({ name, keyPlace }) =>
      keyPlace >= 0 || messageKey?.includes(name) || isColumnCaptured(settings, schema, table, name),
  );
  const prefix = settings["topic.prefix"];
  return createTable({
    topic: topicOf(prefix, schema, table, settings["topic.delimiter"]),
    schema,
    table,
    columns: captured,
    messageKey,
  });
}

/** What the modifier of a type of characters has on top of the length. Source: PostgreSQL, VARHDRSZ. */
const VARIABLE_HEADER = 4;

/**
 * The statement that reads all rows of a table as {@link describeTable} has it; of an inheritance tree only those of its own. `rows` is a SELECT
 * that gives them in place of the table; null: the table does.
 */
export async function selectStatement(client: Client, id: TableId, rows: string | null = null): Promise<string> {
  const { oid, schema, table, isRoot } = id;
  const names = (await readColumns(client, oid)).map(({ name }) => quote(name));
  const source =
    rows === null ? `${isRoot ? "" : "ONLY "}${quote(schema)}.${quote(table)}` : `(${rows}) AS headrace_rows`;
  return `SELECT ${names.join(", ")} FROM ${source}`;
}

/**
 * Runs what reads a table in a transaction whose view may be older than the table. Throws RetriableError if the table was changed since, so that it is
 * to be read by another view: of a table that was rewritten (ALTER TABLE … TYPE, TRUNCATE) PostgreSQL shows an older view no row. `isPlain`: the statement
 * is {@link selectStatement}'s alone, so that names that are not there have been.
 */
export async function whileUnchanged<T>(
  client: Client,
  { oid, schema, table }: TableId,
  isPlain: boolean,
  read: () => Promise<T>,
): Promise<T> {
  const changed = (cause?: unknown) =>
    new RetriableError(`table ${schema}.${table} has changed since its reading began: it is read as it is now`, {
      cause,
    });
  let result: T;
  try {
    result = await read();
  } catch (error) {
    throw isPlain && NOT_THERE.test(sqlState(error) ?? "") ? changed(error) : error;
  }
  // What has read holds a lock, with which nobody rewrites the table; the function, unlike the catalog's rows, tells of now.
  const { rows } = await client.query(
    `SELECT FROM pg_class WHERE (oid = $1::oid OR oid IN (SELECT relid FROM pg_partition_tree($1::oid)))
     AND relkind = 'r' AND relfilenode <> pg_relation_filenode(oid)`,
    [oid],
  );
  if (rows.length > 0) throw changed();
  return result;
}

/** No such table, no such column. */
const NOT_THERE = /^42(P01|703)$/;

/** What the server says of the slot. */
export interface Slot {
  readonly confirmed: bigint;
  readonly isLost: boolean;
}

/** null: there is no such slot. Throws ConfigError if it is another kind of slot. */
export async function readSlot(client: Client, name: string): Promise<Slot | null> {
  const { rows } = await client.query<{
    readonly plugin: string | null;
    readonly own: boolean;
    readonly confirmed: string | null;
    readonly status: string | null;
  }>(
    `SELECT plugin, database = current_database() AS own, confirmed_flush_lsn::text AS confirmed, wal_status AS status
     FROM pg_replication_slots WHERE slot_name = $1`,
    [name],
  );
  const [found] = rows;
  if (found === undefined) return null;
  if (found.plugin !== "pgoutput" || !found.own)
    throw new ConfigError(`replication slot ${name} is not one of pgoutput in this database: give another slot.name`);
  // It has no place before its creation is over.
  if (found.confirmed === null) throw new RetriableError(`replication slot ${name} is being created`);
  return { confirmed: parseLsn(found.confirmed), isLost: found.status === "lost" };
}

/** What a server says of itself. */
export interface ServerFacts {
  readonly database: string;
  /** Where its log ends. */
  readonly end: bigint;
  /** As `server_version_num`: 150004. */
  readonly version: number;
}

/** Throws ConfigError if the server cannot be captured. */
export async function readServer(client: Client): Promise<ServerFacts> {
  const { rows } = await client.query<{
    readonly database: string;
    readonly level: string;
    readonly end: string;
    readonly standby: boolean;
    readonly version: number;
  }>(
    `SELECT current_database() AS database, current_setting('wal_level') AS level, pg_is_in_recovery() AS standby,
       current_setting('server_version_num')::int AS version,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_insert_lsn() END)::text AS end`,
  );
  const [found] = rows;
  if (found === undefined) throw new Error("the server says nothing of itself");
  if (found.level !== "logical") throw new ConfigError(`the server needs wal_level=logical, and has ${found.level}`);
  if (found.standby) throw new ConfigError("the server is a standby, which has no changes of its own to capture");
  return { database: found.database, end: parseLsn(found.end), version: found.version };
}
