import type { JsonValue } from "./random.ts";

/**
 * A typed value as both sides read it: null, or an object of one member that names the type: i8 i16 i32 i64 f32 f64 (as text from i64 on),
 * b, s, y (base64), date (milliseconds), dec (unscaled integer), a (array), m (pairs), st (a struct's values in the order of its fields).
 */
export type Encoded = null | { readonly [type: string]: JsonValue };

/** A value with its schema, in the form of Connect's JSON schemas; `schema: null` is schemaless. */
export interface EncodedData {
  readonly schema: JsonValue;
  readonly value: Encoded;
}

export interface EncodedRecord {
  readonly topic: string;
  readonly partition: number | null;
  /** Null for a source record. */
  readonly offset: number | null;
  readonly timestamp: number | null;
  readonly key: EncodedData;
  readonly value: EncodedData;
  readonly headers: readonly (EncodedData & { readonly key: string })[];
}

/** One plugin with one configuration, and what it is given. */
export type Case =
  | {
      readonly kind: "transform" | "predicate";
      readonly class: string;
      readonly config: Readonly<Record<string, string>>;
      readonly inputs: readonly EncodedRecord[];
    }
  | {
      readonly kind: "converter";
      readonly class: string;
      readonly config: Readonly<Record<string, string>>;
      readonly direction: "encode";
      readonly inputs: readonly EncodedData[];
    }
  | {
      readonly kind: "converter";
      readonly class: string;
      readonly config: Readonly<Record<string, string>>;
      readonly direction: "decode";
      /** Payloads in base64. */
      readonly inputs: readonly (string | null)[];
    };

export interface Failure {
  /** `config`, `data`, or the class of any other Java exception. */
  readonly error: string;
  readonly message: string | null;
}
