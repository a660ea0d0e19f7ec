import { hash } from "node:crypto";
import { deflateRawSync, zstdCompressSync } from "node:zlib";
import { ByteWriter, createAvroCodec, parseAvroSchema } from "@headrace/avro";
import { DataError, type Schema, type Value } from "@headrace/sdk";
import { createBySchema } from "./layouts.ts";
import type { Layout, ObjectWriter, SinkFormat } from "./sink-format.ts";

export const AVRO_CODECS = ["null", "deflate", "zstandard"] as const;
export type AvroCodecName = (typeof AVRO_CODECS)[number];

/** Bytes of a block before compression. */
const BLOCK_BYTES = 64 * 1024;
const MAGIC = Buffer.from("Obj\u0001", "latin1");
const NO_PREFIX = new Uint8Array();

/**
 * Avro's object container files:
 *
 *     header  [Obj 1][metadata: map of bytes][sync marker: 16 bytes]
 *     block   [records: long][bytes: long][records, compressed][sync marker]
 *
 * Schemas are translated as Confluent's AvroConverter does. The marker follows from the schema, so that equal records make equal objects.
 * Source: Apache Avro 1.12 specification, "Object Container Files".
 */
export function avro(codecName: AvroCodecName): SinkFormat {
  const codec = createAvroCodec();
  const compiled = createBySchema((schema: Schema) => {
    const text = codec.schemaText(schema);
    const layout: Layout = { open: () => containerFile(text, codecName) };
    return { layout, encode: codec.encoder(parseAvroSchema(text), schema) };
  });
  return {
    extension: ".avro",
    contentType: "application/avro",
    toRow({ schema, value }) {
      if (schema === null) throw new DataError("Avro needs a schema: use a converter that has one");
      const { layout, encode } = compiled(schema);
      const content = encode(value, NO_PREFIX);
      return { layout, size: content.length, content };
    },
  };
}

function containerFile(schemaText: string, codecName: AvroCodecName): ObjectWriter {
  const sync = Buffer.from(hash("md5", schemaText, "hex"), "hex");
  const out = new ByteWriter();
  let block: Buffer[] = [];
  let bytes = 0;

  out.raw(MAGIC);
  out.long(2n);
  for (const [name, value] of [
    ["avro.schema", schemaText],
    ["avro.codec", codecName],
  ] as const) {
    out.string(name);
    out.string(value);
  }
  out.long(0n);
  out.raw(sync);
  let ready: Buffer | null = take();

  function take(): Buffer {
    const taken = out.take();
    out.reset();
    return taken;
  }
  function endBlock(): Buffer | null {
    const head = ready;
    ready = null;
    if (block.length === 0) return head;
    const data = compress(Buffer.concat(block, bytes), codecName);
    out.long(BigInt(block.length));
    out.long(BigInt(data.length));
    out.raw(data);
    out.raw(sync);
    block = [];
    bytes = 0;
    const made = take();
    return head === null ? made : Buffer.concat([head, made]);
  }
  return {
    add(content: Value) {
      if (!Buffer.isBuffer(content)) throw new Error("an Avro writer takes encoded records");
      block.push(content);
      bytes += content.length;
      return bytes < BLOCK_BYTES ? null : endBlock();
    },
    end: endBlock,
  };
}

function compress(data: Buffer, codecName: AvroCodecName): Buffer {
  switch (codecName) {
    case "null":
      return data;
    case "deflate":
      return deflateRawSync(data);
    case "zstandard":
      return zstdCompressSync(data);
    default:
      throw new Error(`unreachable: ${codecName satisfies never}`);
  }
}
