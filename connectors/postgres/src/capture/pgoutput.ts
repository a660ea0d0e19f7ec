import { BinaryReader } from "./binary-reader.ts";

/**
 * Messages of PostgreSQL's output plugin pgoutput, protocol version 1. Source: PostgreSQL, "Logical Replication Message Formats".
 *
 * A value of a row: text, `null` for NULL, `undefined` for a large value that the change left as it was (unchanged TOAST).
 */
export type Cell = string | null | undefined;
export type Row = readonly Cell[];

export interface RelationColumn {
  readonly name: string;
  /** Whether it is part of the replica identity. */
  readonly isKey: boolean;
  readonly type: number;
  readonly modifier: number;
}

export interface Relation {
  readonly id: number;
  readonly schema: string;
  readonly table: string;
  /** `d`efault (primary key), `n`othing, `f`ull row, `i`ndex. */
  readonly identity: string;
  readonly columns: readonly RelationColumn[];
}

export type Message =
  | { readonly kind: "begin"; readonly commitLsn: bigint; readonly committedAt: bigint; readonly xid: number }
  | { readonly kind: "commit"; readonly commitLsn: bigint; readonly endLsn: bigint }
  | { readonly kind: "relation"; readonly relation: Relation }
  | { readonly kind: "insert"; readonly relation: number; readonly after: Row }
  | { readonly kind: "update"; readonly relation: number; readonly before: OldRow | null; readonly after: Row }
  | { readonly kind: "delete"; readonly relation: number; readonly before: OldRow }
  | { readonly kind: "truncate"; readonly relations: readonly number[] }
  | LogicalMessage
  | { readonly kind: "other" };

/** What pg_logical_emit_message has put into the log. */
export interface LogicalMessage {
  readonly kind: "message";
  /** Part of the transaction under way; otherwise it counts by itself, and whatever becomes of its transaction. */
  readonly transactional: boolean;
  readonly prefix: string;
  readonly content: Buffer;
}

/** What the change says of the row before it: all of it, or only the columns of its key. */
export interface OldRow {
  readonly complete: boolean;
  readonly row: Row;
}

/** Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01. */
export const POSTGRES_EPOCH_MICROS = 946_684_800_000_000n;

/** Decodes one message. Throws for what the protocol does not have. */
export function decodeMessage(data: Buffer): Message {
  const reader = new BinaryReader(data);
  const type = reader.char();
  switch (type) {
    case "B":
      return {
        kind: "begin",
        commitLsn: reader.uint64(),
        committedAt: reader.int64() + POSTGRES_EPOCH_MICROS,
        xid: reader.uint32(),
      };
    case "C":
      reader.uint8(); // Flags, unused.
      return { kind: "commit", commitLsn: reader.uint64(), endLsn: reader.uint64() };
    case "R":
      return { kind: "relation", relation: readRelation(reader) };
    case "I": {
      const relation = reader.uint32();
      reader.char();
      return { kind: "insert", relation, after: readRow(reader) };
    }
    case "U": {
      const relation = reader.uint32();
      const marker = reader.char();
      if (marker === "N") return { kind: "update", relation, before: null, after: readRow(reader) };
      const before = { complete: marker === "O", row: readRow(reader) };
      reader.char();
      return { kind: "update", relation, before, after: readRow(reader) };
    }
    case "D": {
      const relation = reader.uint32();
      const complete = reader.char() === "O";
      return { kind: "delete", relation, before: { complete, row: readRow(reader) } };
    }
    case "T": {
      const count = reader.uint32();
      reader.uint8(); // CASCADE, RESTART IDENTITY: the tables are listed in any case.
      return { kind: "truncate", relations: Array.from({ length: count }, () => reader.uint32()) };
    }
    case "M": {
      const transactional = (reader.uint8() & 1) === 1;
      reader.uint64(); // Its place, which the frame has as well.
      return { kind: "message", transactional, prefix: reader.text(), content: reader.bytes(reader.uint32()) };
    }
    case "O":
    case "Y":
      return { kind: "other" };
    default:
      throw new Error(`pgoutput has no message ${type}`);
  }
}

function readRelation(reader: BinaryReader): Relation {
  const id = reader.uint32();
  // Empty stands for pg_catalog.
  const schema = reader.text() || "pg_catalog";
  const table = reader.text();
  const identity = reader.char();
  const columns = Array.from({ length: reader.uint16() }, () => ({
    isKey: (reader.uint8() & 1) === 1,
    name: reader.text(),
    type: reader.uint32(),
    modifier: reader.int32(),
  }));
  return { id, schema, table, identity, columns };
}

function readRow(reader: BinaryReader): Row {
  return Array.from({ length: reader.uint16() }, () => {
    const kind = reader.char();
    switch (kind) {
      case "n":
        return null;
      case "u":
        return undefined;
      case "t":
        return reader.bytes(reader.uint32()).toString("utf8");
      default:
        throw new Error(`pgoutput has no column value ${kind}`);
    }
  });
}
