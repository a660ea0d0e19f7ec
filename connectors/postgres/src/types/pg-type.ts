import type { Client } from "pg";

/** A data type of the database, domains resolved to what they are made of. */
export interface PgType {
  /** As in pg_type, for instance `int4`. */
  readonly name: string;
  readonly kind: "array" | "enum" | "other";
  /** Of an array only. */
  readonly element: PgType | null;
  /** Of an enum only. */
  readonly labels: readonly string[];
  /** Length or precision that a domain brings along; -1: none. */
  readonly modifier: number;
}

/** The types of one database by their object ids; those that it has not met yet are read. */
export interface TypeCatalog {
  /** Reads what is not known yet of these types. */
  load(client: Client, oids: readonly number[]): Promise<void>;
  /** A type that was loaded; what is not known is taken as text. */
  get(oid: number): PgType;
}

interface TypeRow {
  readonly oid: number;
  readonly name: string;
  readonly kind: string;
  readonly category: string;
  readonly element: number;
  readonly base: number;
  readonly modifier: number;
  readonly labels: readonly string[];
}

const TEXT: PgType = { name: "text", kind: "other", element: null, labels: [], modifier: -1 };

/** Arrays whose items are separated by something else than commas. */
const ODD_ARRAYS = ["_box", "int2vector", "oidvector"];

/** Source: PostgreSQL, system catalogs pg_type and pg_enum. */
const TYPES = `
  WITH RECURSIVE wanted AS (
    SELECT oid, typname, typtype, typcategory, typelem, typbasetype, typtypmod FROM pg_type WHERE oid = ANY($1::oid[])
    UNION
    SELECT t.oid, t.typname, t.typtype, t.typcategory, t.typelem, t.typbasetype, t.typtypmod
    FROM pg_type t JOIN wanted w ON t.oid IN (w.typelem, w.typbasetype)
  )
  SELECT oid::int8::float8 AS oid, typname AS name, typtype AS kind, typcategory AS category, typelem::int8::float8 AS element,
    typbasetype::int8::float8 AS base, typtypmod AS modifier,
    ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = wanted.oid ORDER BY enumsortorder) AS labels
  FROM wanted`;

/** Creates an empty catalog. */
export function createTypeCatalog(): TypeCatalog {
  const rows = new Map<number, TypeRow>();

  function get(oid: number): PgType {
    const row = rows.get(oid);
    if (row === undefined) return TEXT;
    if (row.kind === "d") {
      const base = get(row.base);
      return row.modifier < 0 ? base : { ...base, modifier: row.modifier };
    }
    const { name, labels } = row;
    const isArray = row.category === "A" && row.element !== 0 && !ODD_ARRAYS.includes(name);
    if (isArray) return { name, kind: "array", element: get(row.element), labels: [], modifier: -1 };
    return { name, kind: row.kind === "e" ? "enum" : "other", element: null, labels, modifier: -1 };
  }

  return {
    async load(client, oids) {
      const missing = [...new Set(oids)].filter((oid) => !rows.has(oid));
      if (missing.length === 0) return;
      const found = await client.query<TypeRow>(TYPES, [missing]);
      for (const row of found.rows) rows.set(row.oid, row);
    },
    get,
  };
}

/** Precision and scale of numeric(precision, scale); null: any. Source: PostgreSQL, numeric.c, numeric_typmod_scale. */
export function numericShape(modifier: number): { readonly precision: number; readonly scale: number } | null {
  if (modifier < 4) return null;
  const packed = modifier - 4;
  return { precision: (packed >> 16) & 0xffff, scale: ((packed & 0x7ff) ^ 1024) - 1024 };
}
