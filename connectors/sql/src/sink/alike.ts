import type { Change } from "./row.ts";

export type InsertMode = "insert" | "upsert" | "update";

/** Whether two changes can be one statement. */
export function isAlike(a: Change, b: Change): boolean {
  return (
    a.kind === b.kind &&
    a.table === b.table &&
    a.columns.length === b.columns.length &&
    a.columns.every(({ name }, index) => name === b.columns[index]?.name)
  );
}

/** Changes in their order, those that are alike and follow one another together. */
export function alikeRuns(changes: readonly Change[]): readonly (readonly [Change, ...Change[]])[] {
  const runs: [Change, ...Change[]][] = [];
  for (const change of changes) {
    const last = runs.at(-1);
    if (last !== undefined && isAlike(last[0], change)) last.push(change);
    else runs.push([change]);
  }
  return runs;
}

/** Of several rows with one key the last, in the order of these. Cells are what SQL is given; null is NULL. */
export function lastOfEachKey<Row extends readonly (string | null)[]>(
  rows: readonly Row[],
  names: readonly string[],
  key: readonly string[],
): readonly Row[] {
  const places = key.map((name) => names.indexOf(name));
  const last = new Map<string, Row>();
  for (const row of rows) {
    const id = JSON.stringify(places.map((place) => row[place]));
    // Out and in again, so that the order is that of the last changes.
    last.delete(id);
    last.set(id, row);
  }
  return [...last.values()];
}
