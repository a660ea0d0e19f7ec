import type { Client, QueryArrayConfig } from "pg";
import { describeTable, selectStatement, type TableId, whileUnchanged } from "../capture/database.ts";
import { OWN_MESSAGES } from "../capture/filter.ts";
import { parseLsn } from "../capture/lsn.ts";
import type { Row } from "../capture/pgoutput.ts";
import type { Settings } from "../capture/settings.ts";
import { type CapturedTable, primaryKeyOf, type TableColumn } from "../capture/table.ts";
import { type OneStatement, quote } from "../connection.ts";
import { AS_TEXT } from "../types/as-text.ts";
import type { TypeCatalog } from "../types/pg-type.ts";
import type { Progress, QueuedTable } from "./progress.ts";

/** Some rows of a table in the order of its key. */
export interface Chunk {
  readonly table: CapturedTable;
  /** With their keys as PostgreSQL's text. */
  readonly rows: readonly { readonly row: Row; readonly key: readonly string[] }[];
  /** The greatest key of the table when its reading began; null: it had no row. */
  readonly greatest: readonly string[] | null;
  /** Which transactions the rows have seen: `xmin:xmax:xip,…`. */
  readonly snapshot: string;
  /** All that they have seen lies before this place of the log. */
  readonly until: bigint;
}

/** Reads the next rows of a table, up to the greatest key; null: it has no primary key, or is gone. Throws RetriableError if it changes meanwhile. */
export async function readChunk(
  client: Client,
  { types, settings }: { readonly types: TypeCatalog; readonly settings: Settings },
  id: TableId,
  { filter }: QueuedTable,
  { last, greatest }: Pick<Progress, "last" | "greatest">,
): Promise<Chunk | null> {
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  const { rows: views } = await client.query<{ snapshot: string }>("SELECT pg_current_snapshot()::text AS snapshot");
  const snapshot = views[0]?.snapshot ?? "";
  const table = await describeTable(client, types, settings, id);
  const key = primaryKeyOf(table.columns);
  if (key.length === 0) {
    await client.query("ROLLBACK");
    return null;
  }
  const statement = await selectStatement(client, id);
  const { end, rows } = await whileUnchanged(client, id, filter === null, async () => {
    const end = greatest ?? (await readGreatest(client, key, statement, filter));
    const rows = end === null ? [] : await readRows(client, { key, statement, filter, last, end }, settings);
    return { end, rows };
  });
  await client.query("COMMIT");
  // Its commit is flushed, and with it all that lies before: the stream is going to pass it.
  const { rows: marks } = await client.query<{ lsn: string }>(
    "SELECT pg_logical_emit_message(true, $1, 'chunk')::text AS lsn",
    [OWN_MESSAGES],
  );
  return { table, rows, greatest: end, snapshot, until: parseLsn(marks[0]?.lsn ?? "") };
}

const listOf = (key: readonly TableColumn[]) => key.map(({ name }) => quote(name));

async function readGreatest(
  client: Client,
  key: readonly TableColumn[],
  statement: string,
  filter: string | null,
): Promise<readonly string[] | null> {
  const where = filter === null ? "" : ` WHERE (${filter})`;
  const order = listOf(key).map((name) => `${name} DESC`);
  const text = `${statement}${where} ORDER BY ${order.join(", ")} LIMIT 1`;
  const query: QueryArrayConfig & OneStatement = { text, queryMode: "extended", rowMode: "array", types: AS_TEXT };
  const { rows } = await client.query<(string | null)[]>(query);
  return rows[0] === undefined ? null : keyOfRow(key, rows[0]);
}

interface Range {
  readonly key: readonly TableColumn[];
  readonly statement: string;
  readonly filter: string | null;
  readonly last: readonly string[] | null;
  readonly end: readonly string[];
}

async function readRows(client: Client, { key, statement, filter, last, end }: Range, settings: Settings) {
  const list = listOf(key).join(", ");
  const marks = (from: number) => key.map((_, index) => `$${from + index}`).join(", ");
  const conditions = [
    `(${list}) <= (${marks(1)})`,
    ...(last === null ? [] : [`(${list}) > (${marks(1 + key.length)})`]),
    ...(filter === null ? [] : [`(${filter})`]),
  ];
  const limit = settings["incremental.snapshot.chunk.size"];
  const text = `${statement} WHERE ${conditions.join(" AND ")} ORDER BY ${list} LIMIT ${limit}`;
  const values = [...end, ...(last ?? [])];
  const query: QueryArrayConfig & OneStatement = {
    text,
    values,
    queryMode: "extended",
    rowMode: "array",
    types: AS_TEXT,
  };
  const { rows } = await client.query<(string | null)[]>(query);
  return rows.map((row) => ({ row, key: keyOfRow(key, row) }));
}

function keyOfRow(key: readonly TableColumn[], row: Row): readonly string[] {
  return key.map(({ index }) => row[index] ?? "");
}
