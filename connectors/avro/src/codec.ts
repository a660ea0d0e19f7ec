import type { Schema, Value } from "@headrace/sdk";
import type { AvroSchema } from "./avro-schema.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { avroSchemaText } from "./from-connect.ts";
import { compileReader } from "./reader.ts";
import { connectSchemaOf } from "./to-connect.ts";
import { compileWriter } from "./writer.ts";

/** How Connect data and Avro stand for each other, as the configuration keys of Confluent's AvroConverter say it. */
export interface CodecOptions {
  /** `enhanced.avro.schema.support` */
  readonly enhanced: boolean;
  /** `connect.meta.data` */
  readonly metaData: boolean;
  /** `scrub.invalid.names` */
  readonly scrub: boolean;
  /** `allow.optional.map.keys` */
  readonly optionalMapKeys: boolean;
  /** `ignore.default.for.nullables` */
  readonly nullsStay: boolean;
}

/** Confluent's defaults. */
export const DEFAULT_OPTIONS: CodecOptions = {
  enhanced: false,
  metaData: true,
  scrub: false,
  optionalMapKeys: false,
  nullsStay: false,
};

/** Connect schemas and data as Avro, and back. What the functions give is compiled once: keep it by schema. */
export interface AvroCodec {
  /** The Avro schema of a Connect schema, as JSON text. Throws DataError. */
  schemaText(schema: Schema | null): string;
  /** Writes values of a Connect schema as an Avro schema, into a buffer of its own, behind `prefix`. Throws DataError. */
  encoder(avro: AvroSchema, schema: Schema | null): (value: Value, prefix: Uint8Array) => Buffer;
  /** Reads values of an Avro schema, from a position on; `version` is for a schema that says none. Throws DataError. */
  decoder(
    avro: AvroSchema,
    version: number | null,
  ): { readonly schema: Schema | null; readonly read: (data: Buffer, from: number) => Value };
}

export function createAvroCodec(given: Partial<CodecOptions> = {}): AvroCodec {
  const options = { ...DEFAULT_OPTIONS, ...given };
  const out = new ByteWriter();
  const data = new ByteReader(Buffer.alloc(0));
  return {
    schemaText: (schema) => avroSchemaText(schema, options),
    encoder(avro, schema) {
      const write = compileWriter(avro, schema, options);
      return (value, prefix) => {
        out.reset();
        out.raw(prefix);
        write(out, value);
        return out.take();
      };
    },
    decoder(avro, version) {
      const schema = connectSchemaOf(avro, { ...options, version });
      const read = compileReader(avro, schema, options.enhanced);
      return { schema, read: (bytes, from) => read(data.open(bytes, from)) };
    },
  };
}
