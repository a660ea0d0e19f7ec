import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Change, lastOfEachKey, type TimeZone, type WriteOptions } from "@headrace/sql";
import type { Client } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { toCell } from "./cell.ts";
import { quote, quoteTable } from "./connection.ts";

/** From so many rows on COPY is worth its round trips. */
const COPY_ROWS = 50;

/**
 * Writes changes that are alike, in one statement. Of several changes of one row only the last counts, as if they had been made one after
 * the other.
 */
export async function writeAlike(
  client: Client,
  changes: readonly Change[],
  { table, mode, zone }: WriteOptions & { readonly zone: TimeZone },
): Promise<void> {
  const [head] = changes;
  if (head === undefined) return;
  const names = head.columns.map(({ name }) => name);
  const types = names.map((name) => table.typeOf(name) ?? "text");
  const rows = changes.map(({ columns }) =>
    columns.map(({ value, schema }, index) => toCell(value, schema, types[index] ?? "text", zone)),
  );
  const target = quoteTable(head.table);
  const list = names.map(quote).join(", ");
  if (head.kind === "write" && mode === "insert" && rows.length >= COPY_ROWS) {
    const copy = client.query(copyFrom(`COPY ${target} (${list}) FROM STDIN`));
    await pipeline(Readable.from(copyText(rows)), copy);
    return;
  }
  const keyed = head.kind === "delete" || mode !== "insert";
  const unique = keyed ? lastOfEachKey(rows, names, head.key) : rows;
  const arrays = names.map((_, index) => unique.map((row) => row[index] ?? null));
  const source = `unnest(${names.map((_, index) => `$${index + 1}::text[]`).join(", ")}) AS s(${list})`;
  const cast = (name: string) => `s.${quote(name)}::${table.typeOf(name) ?? "text"}`;
  const onKey = head.key.map((name) => `t.${quote(name)} = ${cast(name)}`).join(" AND ");
  const others = names.filter((name) => !head.key.includes(name));
  if (head.kind === "delete") {
    await client.query(`DELETE FROM ${target} AS t USING ${source} WHERE ${onKey}`, arrays);
    return;
  }
  if (mode === "update") {
    if (others.length === 0) return;
    const assigned = others.map((name) => `${quote(name)} = ${cast(name)}`).join(", ");
    await client.query(`UPDATE ${target} AS t SET ${assigned} FROM ${source} WHERE ${onKey}`, arrays);
    return;
  }
  const replaced = others.map((name) => `${quote(name)} = excluded.${quote(name)}`).join(", ");
  const keys = head.key.map(quote).join(", ");
  const conflict =
    mode === "insert" ? "" : ` ON CONFLICT (${keys}) DO ${others.length === 0 ? "NOTHING" : `UPDATE SET ${replaced}`}`;
  await client.query(
    `INSERT INTO ${target} (${list}) SELECT ${names.map(cast).join(", ")} FROM ${source}${conflict}`,
    arrays,
  );
}

type Row = readonly (string | null)[];

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Characters of COPY's text that go together: each piece has its way through the streams. */
const PIECE = 1 << 16;

function* copyText(rows: readonly Row[]): Generator<string> {
  let piece = "";
  for (const row of rows) {
    piece += toCopyLine(row);
    if (piece.length < PIECE) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** A row in COPY's text format. Source: PostgreSQL, COPY, "Text Format". */
function toCopyLine(row: Row): string {
  const cells = row.map((cell) =>
    cell === null ? "\\N" : cell.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character] ?? ""),
  );
  return `${cells.join("\t")}\n`;
}
