import { inflateRawSync, zstdDecompressSync } from "node:zlib";
import { ByteReader, compileReader, connectSchemaOf, parseAvroSchema } from "@headrace/avro";
import { DataError, type Schema, type SchemaAndValue, type Value } from "@headrace/sdk";
import { snappyUncompress } from "hyparquet";
import type { ItemReader, ReadableObject } from "./source-format.ts";

const SYNC_BYTES = 16;
/** A block that claims more is none. */
const MAX_BLOCK_BYTES = 1024 * 1024 * 1024;

interface Header {
  readonly schema: Schema | null;
  readonly read: (data: ByteReader) => Value;
  readonly decompress: (data: Buffer) => Buffer;
  readonly sync: Buffer;
}

/** A record per record of an Avro object container file, block by block. */
export const avroReader: ItemReader = async function* read(object) {
  const source = new Source(object);
  const header = await source.take((data) => readHeader(data));
  while (!(await source.isAtEnd())) {
    const [count, size] = await source.take((data) => [Number(data.long()), Number(data.long())] as const);
    if (count < 0 || size < 0 || size > MAX_BLOCK_BYTES)
      throw new DataError(`${object.key}: a block of Avro says nonsense`);
    const block = await source.bytes(size);
    if (!(await source.bytes(SYNC_BYTES)).equals(header.sync))
      throw new DataError(`${object.key}: a block of Avro does not end with the marker`);
    yield itemsOf(header, block, count, object.key);
  }
};

function itemsOf(
  { schema, read, decompress }: Header,
  block: Buffer,
  count: number,
  key: string,
): readonly SchemaAndValue[] {
  try {
    const data = new ByteReader(decompress(block));
    return Array.from({ length: count }, () => ({ schema, value: read(data) }));
  } catch (cause) {
    throw new DataError(`${key} cannot be read as Avro: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function readHeader(data: ByteReader): Header {
  if (data.fixed(4).toString("latin1") !== "Obj\u0001") throw new Refusal("it does not start as Avro's files do");
  const metadata = new Map<string, Buffer>();
  data.blocks(() => {
    const name = data.string();
    metadata.set(name, Buffer.from(data.bytes()));
  });
  const sync = Buffer.from(data.fixed(SYNC_BYTES));
  const text = metadata.get("avro.schema")?.toString("utf8");
  if (text === undefined) throw new Refusal("it has no schema");
  const decompress = decompressorOf(metadata.get("avro.codec")?.toString("utf8") ?? "null");
  try {
    const avro = parseAvroSchema(text);
    const schema = connectSchemaOf(avro, { enhanced: false, metaData: true, version: null });
    return { schema, read: compileReader(avro, schema, false), decompress, sync };
  } catch (cause) {
    throw new Refusal(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function decompressorOf(codec: string): (data: Buffer) => Buffer {
  switch (codec) {
    case "null":
      return (data) => data;
    case "deflate":
      return (data) => inflateRawSync(data);
    case "zstandard":
      return (data) => zstdDecompressSync(data);
    case "snappy":
      return fromSnappy;
    default:
      throw new Refusal(`its codec ${codec} is none of null, deflate, snappy, zstandard`);
  }
}

/** Snappy's block starts with its length as a varint; Avro puts a checksum of four bytes behind it. */
function fromSnappy(data: Buffer): Buffer {
  let length = 0;
  let at = 0;
  for (let shift = 0; at < data.length; shift += 7) {
    const byte = data[at++] ?? 0;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > MAX_BLOCK_BYTES) throw new DataError("a block says nonsense");
  const output = Buffer.alloc(length);
  snappyUncompress(data.subarray(0, -4), output);
  return output;
}

/** What more data would not make better. */
class Refusal extends DataError {}

/** An object's bytes, as many as are asked for. */
class Source {
  readonly #key: string;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #data: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(object: ReadableObject) {
    this.#key = object.key;
    this.#chunks = object.chunks()[Symbol.asyncIterator]();
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#data.length === 0 && (await this.#more())) {}
    return this.#data.length === 0;
  }

  async bytes(size: number): Promise<Buffer> {
    const more: Buffer[] = [this.#data];
    let length = this.#data.length;
    while (length < size && !this.#ended) {
      const chunk = await this.#next();
      if (chunk !== null) {
        more.push(chunk);
        length += chunk.length;
      }
    }
    this.#data = Buffer.concat(more, length);
    if (length < size) throw new DataError(`${this.#key} ends in the middle of a block of Avro`);
    const taken = this.#data.subarray(0, size);
    this.#data = this.#data.subarray(size);
    return taken;
  }

  /** Parses what is there, again with more as long as it ends early. */
  async take<T>(parse: (data: ByteReader) => T): Promise<T> {
    for (;;) {
      try {
        const reader = new ByteReader(this.#data);
        const parsed = parse(reader);
        this.#data = this.#data.subarray(reader.position);
        return parsed;
      } catch (cause) {
        const hopeless = !(cause instanceof DataError) || cause instanceof Refusal;
        if (!hopeless && (await this.#more())) continue;
        throw new DataError(`${this.#key} cannot be read as Avro: ${cause instanceof Error ? cause.message : cause}`, {
          cause,
        });
      }
    }
  }

  async #more(): Promise<boolean> {
    const chunk = await this.#next();
    if (chunk !== null) this.#data = Buffer.concat([this.#data, chunk]);
    return !this.#ended;
  }

  async #next(): Promise<Buffer | null> {
    const { done, value } = await this.#chunks.next();
    if (done !== true) return Buffer.from(value);
    this.#ended = true;
    return null;
  }
}
