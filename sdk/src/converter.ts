import type { z } from "zod";
import type { Schema, SchemaAndValue } from "./schema.ts";
import type { Utf8Text } from "./utf8-text.ts";

/**
 * A compiled converter. Both directions depend on their arguments alone, and throw DataError for what they cannot convert. What has to be
 * fetched first is no reason to block: they throw {@link NotReady} and are called again.
 */
export interface Converter {
  /** Serialises. A string is written as UTF-8 by the record path, without a copy of its own; null is a null payload. */
  encode(topic: string, data: SchemaAndValue): Buffer | string | null;
  /** Deserialises. The buffer is a view that is reused: what is kept of it must be copied. */
  decode(topic: string, payload: Buffer | null): SchemaAndValue;
  /** `encode` gives every string as it is, whatever its schema: it is not asked for text that is UTF-8 already ({@link Utf8Text}). */
  readonly keepsText?: boolean;
  /** `decode` gives every payload that is UTF-8 as the string it is, with this schema: it is not asked where a sink takes {@link Utf8Text}. */
  readonly textSchema?: Schema;
}

/** A compiled header converter: as {@link Converter}, with the header's key. */
export interface HeaderConverter {
  encodeHeader(topic: string, key: string, data: SchemaAndValue): Buffer | string | null;
  decodeHeader(topic: string, key: string, payload: Buffer | null): SchemaAndValue;
}

export interface ConverterDefinition<S extends z.ZodObject = z.ZodObject> {
  readonly kind: "converter";
  readonly name: string;
  readonly version: string;
  readonly aliases?: readonly string[];
  readonly config: S;
  /** Called once per task and use; `isKey` tells which side it serves. */
  compile(config: z.output<S>, isKey: boolean): Converter;
  /** Only if it can also convert headers. */
  compileHeader?(config: z.output<S>): HeaderConverter;
}

/** Declares a converter. */
export function defineConverter<S extends z.ZodObject>(
  definition: Omit<ConverterDefinition<S>, "kind">,
): ConverterDefinition<S> {
  return { kind: "converter", ...definition };
}
