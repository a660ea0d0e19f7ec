import { ConfigError, config, type OffsetMap } from "@headrace/sdk";
import { z } from "zod";

/** A table of an incremental snapshot. */
export interface QueuedTable {
  /** `schema.table`. */
  readonly name: string;
  readonly filter: string | null;
}

/** How far an incremental snapshot is. */
export interface Progress {
  /** Still to be read; the first of them is under way. */
  readonly tables: readonly QueuedTable[];
  /** Key of the last row of the first table that was given, as PostgreSQL's text; null: none yet. */
  readonly last: readonly string[] | null;
  /** The greatest key when the table was begun; null: not begun. */
  readonly greatest: readonly string[] | null;
  readonly paused: boolean;
}

/** Nothing is to be read. */
export const IDLE: Progress = { tables: [], last: null, greatest: null, paused: false };

/** More tables behind others, none twice with the same condition. */
export function joined(tables: readonly QueuedTable[], more: readonly QueuedTable[]): readonly QueuedTable[] {
  const isNew = (table: QueuedTable) =>
    !tables.some(({ name, filter }) => name === table.name && filter === table.filter);
  return [...tables, ...more.filter(isNew)];
}

/** Without the tables that one of the patterns matches; without patterns nothing is left. */
export function stopped(progress: Progress, patterns: readonly string[]): Progress {
  if (patterns.length === 0) return IDLE;
  const expressions = patterns.map((pattern) => config.fullMatch(pattern));
  const left = progress.tables.filter(({ name }) => !expressions.some((expression) => expression.test(name)));
  if (left.length === 0) return IDLE;
  return left[0] === progress.tables[0]
    ? { ...progress, tables: left }
    : { ...IDLE, ...pausedAs(progress), tables: left };
}

/** The first table is done. */
export function advanced(progress: Progress): Progress {
  const tables = progress.tables.slice(1);
  return tables.length === 0 ? IDLE : { ...IDLE, ...pausedAs(progress), tables };
}

function pausedAs({ paused }: Progress): Pick<Progress, "paused"> {
  return { paused };
}

/** A list of tables in an offset, in Debezium's form. */
export function toCollections(tables: readonly QueuedTable[]): string {
  const collections = tables.map(({ name, filter }) => ({
    incremental_snapshot_collections_id: name,
    incremental_snapshot_collections_additional_condition: filter,
    incremental_snapshot_collections_surrogate_key: null,
  }));
  return JSON.stringify(collections);
}

/** Reads such a list. Throws for what is none. */
export function fromCollections(text: string): readonly QueuedTable[] {
  return COLLECTIONS.parse(JSON.parse(text)).map((each) => ({
    name: each.incremental_snapshot_collections_id,
    filter: each.incremental_snapshot_collections_additional_condition ?? null,
  }));
}

/** What goes into each offset while it lasts. */
export function toEntries({ tables, last, greatest, paused }: Progress): OffsetMap {
  if (tables.length === 0) return {};
  return {
    incremental_snapshot_collections: toCollections(tables),
    ...(last !== null && { incremental_snapshot_last: JSON.stringify(last) }),
    ...(greatest !== null && { incremental_snapshot_greatest: JSON.stringify(greatest) }),
    ...(paused && { incremental_snapshot_paused: true }),
  };
}

const COLLECTIONS = z.array(
  z.looseObject({
    incremental_snapshot_collections_id: z.string(),
    incremental_snapshot_collections_additional_condition: z.string().nullish(),
  }),
);
const KEY = z.array(z.string());

/** Of a stored offset. Debezium's own keeps the places in a form of Java's: its first table is read from its beginning. Throws ConfigError. */
export function fromEntries(offset: OffsetMap): Progress {
  const text = (key: string) => {
    const value = offset[`incremental_snapshot_${key}`] ?? null;
    return value === null ? null : String(value);
  };
  const collections = text("collections");
  if (collections === null) return IDLE;
  try {
    const tables = fromCollections(collections);
    const [last, greatest] = [text("last"), text("greatest")];
    return {
      tables,
      last: last === null ? null : KEY.parse(JSON.parse(last)),
      greatest: greatest === null ? null : KEY.parse(JSON.parse(greatest)),
      paused: text("paused") === "true",
    };
  } catch (cause) {
    throw new ConfigError("incremental_snapshot_* of the offset cannot be read: leave them out to end that snapshot", {
      cause,
    });
  }
}
