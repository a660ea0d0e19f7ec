import type { SchemaAndValue, Value } from "@headrace/sdk";

/** What all records of one object have in common, for instance their schema. Rows of the same layout may be in one object. */
export interface Layout {
  open(): ObjectWriter;
}

/** A record's content on its way into an object. */
export interface Row {
  /** The same object for the same layout. */
  readonly layout: Layout;
  /** Bytes that it takes before compression, as far as can be told from it alone. */
  readonly size: number;
  /** In the form that the layout's writers take. */
  readonly content: Value;
}

/** Makes the bytes of one object. */
export interface ObjectWriter {
  /** Takes a row; answers bytes that are ready, or null. */
  add(content: Value): Uint8Array | null;
  /** The rest. Called once. */
  end(): Uint8Array | null;
}

/** A format of objects. */
export interface SinkFormat {
  /** With its dot. */
  readonly extension: string;
  readonly contentType: string;
  /** Throws DataError for what the format cannot hold; nothing else changes then. */
  toRow(data: SchemaAndValue): Row;
}
