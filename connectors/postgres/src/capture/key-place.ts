import type { Relation } from "./pgoutput.ts";

/** A column of the table as the catalog has it now. */
export interface CatalogColumn {
  readonly name: string;
  /** Its place in the primary key, from 0; null: it is no part of it. */
  readonly keyPlace: number | null;
}

/**
 * Places of a relation's columns in the primary key, -1: no part of it. The catalog knows the order of the key, but as it is now: a column that it does
 * not have was renamed or dropped after the changes that are described, and is of the key if the stream says so of the replica identity, which mostly is
 * the key. REPLICA IDENTITY FULL, of which all columns are, does not tell.
 */
export function keyPlacesOf({ columns, identity }: Relation, catalog: readonly CatalogColumn[]): readonly number[] {
  const known = new Map(catalog.map(({ name, keyPlace }) => [name, keyPlace]));
  const names = new Set(columns.map(({ name }) => name));
  // Those that the renamed ones have left.
  const free = catalog
    .flatMap(({ name, keyPlace }) => (keyPlace === null || names.has(name) ? [] : [keyPlace]))
    .toSorted((a, b) => a - b);
  return columns.map(({ name, isKey }, index) => {
    const place = known.get(name);
    if (place !== undefined) return place ?? -1;
    return isKey && identity !== "f" ? (free.shift() ?? catalog.length + index) : -1;
  });
}
