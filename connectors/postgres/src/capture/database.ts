import { ConfigError, RetriableError } from "@headrace/sdk";
import type { Client } from "pg";
import { connect, quote, toRetriable } from "../connection.ts";
import type { TypeCatalog } from "../types/pg-type.ts";
import { columnOf } from "./column.ts";
import { parseLsn } from "./lsn.ts";
import type { Relation } from "./pgoutput.ts";
import { connectionOf, isCaptured, isColumnCaptured, isFollowed, type Settings } from "./settings.ts";
import { type CapturedTable, createTable, topicOf } from "./table.ts";

/** Connects; `prefer` takes TLS where the server has it. */
export async function openClient(settings: Settings, signal: AbortSignal, replication = false): Promise<Client> {
  const mode = settings["database.sslmode"];
  if (mode !== "prefer") return await connect(connectionOf(settings, mode), signal, replication);
  try {
    return await connect(connectionOf(settings, "require"), signal, replication);
  } catch (error) {
    const hasNone = error instanceof Error && /does not support SSL/.test(error.message);
    if (!hasNone) throw error;
    return await connect(connectionOf(settings, "disable"), signal, replication);
  }
}

/** A table to be read. */
export interface TableId {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  /** A partitioned table, whose rows are in its partitions. */
  readonly isRoot: boolean;
}

/** All tables, in a steady order; of a partitioned table itself (`viaRoot`) or its partitions. */
async function listTables(client: Client, viaRoot: boolean): Promise<readonly TableId[]> {
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

interface ColumnFacts {
  readonly name: string;
  readonly type: number;
  readonly modifier: number;
  readonly required: boolean;
  /** From 0; null: no part of the primary key. */
  readonly keyPlace: number | null;
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
  const columns = relation.columns.map(({ name, type, modifier, isKey }, index) => {
    const fact = facts.find((each) => each.name === name);
    // A table that is gone has no key any more, but its replica identity mostly was it.
    const fallback = facts.length === 0 && isKey && relation.identity !== "f" ? index : -1;
    const keyPlace = fact === undefined ? fallback : (fact.keyPlace ?? -1);
    const column = columnOf(types.get(type), modifier, settings);
    return { name, index, column, keyPlace, required: (fact?.required ?? false) || keyPlace >= 0 };
  });
  const prefix = settings["topic.prefix"];
  return createTable({
    prefix,
    topic: topicOf(prefix, schema, table, settings["topic.delimiter"]),
    schema,
    table,
    columns: columns.filter(({ name, keyPlace }) => keyPlace >= 0 || isColumnCaptured(settings, schema, table, name)),
  });
}

/** The statement that reads all rows of a table as {@link describeTable} has it; of an inheritance tree only those of its own. */
export async function selectStatement(client: Client, { oid, schema, table, isRoot }: TableId): Promise<string> {
  const names = (await readColumns(client, oid)).map(({ name }) => quote(name));
  return `SELECT ${names.join(", ")} FROM ${isRoot ? "" : "ONLY "}${quote(schema)}.${quote(table)}`;
}

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

/** Name of the database, and where its log ends. Throws ConfigError if it cannot be captured. */
export async function readServer(client: Client): Promise<{ readonly database: string; readonly end: bigint }> {
  const { rows } = await client.query<{ database: string; level: string; end: string; standby: boolean }>(
    `SELECT current_database() AS database, current_setting('wal_level') AS level, pg_is_in_recovery() AS standby,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_insert_lsn() END)::text AS end`,
  );
  const [found] = rows;
  if (found === undefined) throw new Error("the server says nothing of itself");
  if (found.level !== "logical") throw new ConfigError(`the server needs wal_level=logical, and has ${found.level}`);
  if (found.standby) throw new ConfigError("the server is a standby, which has no changes of its own to capture");
  return { database: found.database, end: parseLsn(found.end) };
}

/** Creates the publication, or brings it up to date, as the settings say. */
export async function ensurePublication(client: Client, settings: Settings): Promise<void> {
  const name = settings["publication.name"];
  const mode = settings["publication.autocreate.mode"];
  const { rows } = await client.query<{ all: boolean }>(
    `SELECT puballtables AS "all" FROM pg_publication WHERE pubname = $1`,
    [name],
  );
  const [found] = rows;
  if (found === undefined && mode === "disabled")
    throw new ConfigError(`publication ${name} does not exist, and publication.autocreate.mode is disabled`);
  if (found !== undefined && (mode !== "filtered" || found.all)) return;
  const viaRoot = settings["publish.via.partition.root"];
  const all = mode === "filtered" ? await listTables(client, viaRoot) : [];
  const tables = all.filter(({ schema, table }) => isFollowed(settings, schema, table));
  const list = tables.map(({ schema, table }) => `${quote(schema)}.${quote(table)}`).join(", ");
  if (mode === "filtered" && tables.length === 0) throw new ConfigError("no table is captured: see table.include.list");
  const root = `WITH (publish_via_partition_root = ${viaRoot})`;
  const target = { all_tables: "FOR ALL TABLES ", filtered: `FOR TABLE ${list} `, no_tables: "", disabled: "" }[mode];
  try {
    if (found === undefined) await client.query(`CREATE PUBLICATION ${quote(name)} ${target}${root}`);
    else await client.query(`ALTER PUBLICATION ${quote(name)} SET TABLE ${list}`);
  } catch (error) {
    throw toRetriable(error);
  }
}
