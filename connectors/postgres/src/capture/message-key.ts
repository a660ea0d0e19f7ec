import { config } from "@headrace/sdk";
import type { RelationColumn } from "./pgoutput.ts";

/** A column that is to be in the keys of a table's records. */
export interface KeyColumnPattern {
  /** Matches `schema.table.column`. */
  readonly column: RegExp;
}

/** `tables:column,column;tables:column`. Source: Debezium 3.4, message.key.columns. */
const ENTRY = /^\s*([^:]+):([^:,]+(?:,[^:,]+)*)\s*$/;

/** Reads `message.key.columns`; null: it cannot be read. */
export function parseMessageKeys(text: string): readonly KeyColumnPattern[] | null {
  const patterns: KeyColumnPattern[] = [];
  for (const entry of text.split(";").filter((each) => each.trim() !== "")) {
    const [, tables, columns] = ENTRY.exec(entry) ?? [];
    if (tables === undefined || columns === undefined) return null;
    for (const column of columns.split(",")) {
      try {
        patterns.push({ column: config.fullMatch(`(?:${tables.trim()})[.](?:${column.trim()})`) });
      } catch {
        return null;
      }
    }
  }
  return patterns;
}

/** The columns of a table that its records' keys have, in the order in which they were asked for; null: nothing is asked for this table. */
export function messageKeyOf(
  patterns: readonly KeyColumnPattern[],
  table: string,
  columns: readonly string[],
): readonly string[] | null {
  const wanted = patterns.flatMap(({ column }) => columns.filter((name) => column.test(`${table}.${name}`)));
  return wanted.length === 0 ? null : [...new Set(wanted)];
}

/** The columns of a key that the replica identity does not have: deletions, and updates that change the key, do not know them. */
export function unknownToDeletions(
  messageKey: readonly string[] | null,
  columns: readonly RelationColumn[],
): readonly string[] {
  const known = new Set(columns.filter(({ isKey }) => isKey).map(({ name }) => name));
  return (messageKey ?? []).filter((name) => !known.has(name));
}
