import { DataError } from "@headrace/sdk";
import { type Change, type InsertMode, lastOfEachKey, quoteTable, type TimeZone, UTC } from "@headrace/sql";
import { quote } from "../sql-text.ts";
import { literalOf } from "./literal.ts";

/** As long as a statement may get when there is more than one row, bytes: longer ones are not faster. */
const STATEMENT_BYTES = 1 << 19;
/** What the protocol puts before a statement in its packet, bytes, and more: a packet has to be shorter than max_allowed_packet. */
const PACKET_BYTES = 64;
/** Most rows that one DELETE looks for: the optimizer gives up on long lists. */
const DELETE_ROWS = 500;

/**
 * The statements that write changes which are alike, in their order. Each is at most as long as the server takes; throws DataError for a row
 * that is longer, and for values that have no form in SQL.
 */
export function statementsOf(
  changes: readonly [Change, ...Change[]],
  {
    mode,
    maxBytes,
    zoneOf = () => UTC,
  }: {
    readonly mode: InsertMode;
    readonly maxBytes: number;
    /** Of a column's times. Default: UTC. */
    readonly zoneOf?: (column: string) => TimeZone;
  },
): readonly string[] {
  const [head] = changes;
  const names = head.columns.map(({ name }) => name);
  const rows = changes.map(({ columns }) =>
    columns.map(({ name, value, schema }) => literalOf(value, schema, zoneOf(name))),
  );
  const target = quoteTable({ quote }, head.table);
  // A key with capitals may be another one to us and the same to the table's collation: statements keep the order.
  if (head.kind === "delete") return deletions(lastOfEachKey(rows, names, head.key), { target, names, maxBytes });
  if (mode === "update") {
    const places = names.map((name, index) => ({ name, index }));
    const [keys, others] = [
      places.filter(({ name }) => head.key.includes(name)),
      places.filter(({ name }) => !head.key.includes(name)),
    ];
    if (others.length === 0) return [];
    const is = (row: readonly string[], glue: string, columns: typeof places) =>
      columns.map(({ name, index }) => `${quote(name)} = ${row[index]}`).join(glue);
    const updates = lastOfEachKey(rows, names, head.key).map(
      (row) => `UPDATE ${target} SET ${is(row, ", ", others)} WHERE ${is(row, " AND ", keys)}`,
    );
    return joined(updates, { before: "", between: ";", after: "", maxBytes });
  }
  const others = names.filter((name) => !head.key.includes(name));
  const replaced = others.length > 0 ? others : names.slice(0, 1);
  const onKey =
    mode === "insert"
      ? ""
      : ` ON DUPLICATE KEY UPDATE ${replaced.map((name) => `${quote(name)} = VALUES(${quote(name)})`).join(", ")}`;
  const kept = mode === "insert" ? rows : lastOfEachKey(rows, names, head.key);
  return joined(
    kept.map((row) => `(${row.join(",")})`),
    { before: `INSERT INTO ${target} (${names.map(quote).join(", ")}) VALUES `, between: ",", after: onKey, maxBytes },
  );
}

function deletions(
  rows: readonly (readonly string[])[],
  {
    target,
    names,
    maxBytes,
  }: { readonly target: string; readonly names: readonly string[]; readonly maxBytes: number },
): readonly string[] {
  const [only] = names;
  const isSingle = names.length === 1 && only !== undefined;
  const before = `DELETE FROM ${target} WHERE ${isSingle ? `${quote(only)} IN (` : ""}`;
  const pieces = rows.map((row) =>
    isSingle ? (row[0] ?? "NULL") : `(${names.map((name, index) => `${quote(name)} = ${row[index]}`).join(" AND ")})`,
  );
  const [between, after] = isSingle ? [",", ")"] : [" OR ", ""];
  return joined(pieces, { before, between, after, maxBytes, maxPieces: DELETE_ROWS });
}

/** Pieces in as few statements as their lengths admit. */
function joined(
  pieces: readonly string[],
  form: {
    readonly before: string;
    readonly between: string;
    readonly after: string;
    readonly maxBytes: number;
    readonly maxPieces?: number;
  },
): readonly string[] {
  const { before, between, after, maxBytes, maxPieces = Number.POSITIVE_INFINITY } = form;
  const fixed = Buffer.byteLength(before) + Buffer.byteLength(after);
  const most = maxBytes - PACKET_BYTES - fixed;
  const limit = Math.min(most, STATEMENT_BYTES);
  const statements: string[] = [];
  let held: string[] = [];
  let bytes = 0;
  const flush = () => {
    if (held.length > 0) statements.push(`${before}${held.join(between)}${after}`);
    held = [];
    bytes = 0;
  };
  for (const piece of pieces) {
    const size = Buffer.byteLength(piece) + between.length;
    if (size > most)
      throw new DataError(`a row needs ${fixed + size} bytes of SQL, and max_allowed_packet is ${maxBytes}`);
    if (bytes + size > limit || held.length >= maxPieces) flush();
    held.push(piece);
    bytes += size;
  }
  flush();
  return statements;
}
