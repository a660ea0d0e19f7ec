import type { SchemaAndValue } from "@headrace/sdk";

/** The content of an object. */
export interface ReadableObject {
  readonly key: string;
  /** Bytes as stored. */
  readonly size: number;
  /** The whole, decompressed, piece by piece; once. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Bytes as stored, [from, to). */
  range(from: number, to: number): Promise<Uint8Array>;
}

/** Reads an object's items in order, some at a time. Throws DataError for what is none of the format. */
export type ItemReader = (object: ReadableObject) => AsyncIterable<readonly SchemaAndValue[]>;
