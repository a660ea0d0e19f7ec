import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import { compressionCodecs } from "./kafkajs.ts";

/** Numbers of the codecs in the attributes of a record batch. gzip (1) is kafkajs's own. */
const SNAPPY = 2;
const LZ4 = 3;
const ZSTD = 4;

/** snappy-java's stream: `[magic:8][version:int32][compatible:int32]` then blocks `[size:int32][snappy]`. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);

/**
 * Teaches kafkajs the codecs it lacks. The libraries are loaded when the first record batch needs them: most topics are never
 * compressed. Idempotent.
 */
export function registerCodecs(): void {
  compressionCodecs[SNAPPY] = () => ({
    async compress({ buffer }) {
      const { compress } = await import("snappy");
      const block = await compress(buffer);
      const size = Buffer.alloc(4);
      size.writeInt32BE(block.length);
      return Buffer.concat([XERIAL_HEADER, size, block]);
    },
    async decompress(buffer) {
      const { uncompress } = await import("snappy");
      const blocks: Buffer[] = [];
      for (const block of snappyBlocks(buffer)) blocks.push(Buffer.from(await uncompress(block)));
      return Buffer.concat(blocks);
    },
  });
  compressionCodecs[LZ4] = () => ({
    compress: async ({ buffer }) => (await import("lz4-napi")).compressFrame(buffer),
    decompress: async (buffer) => (await import("lz4-napi")).decompressFrame(buffer),
  });
  compressionCodecs[ZSTD] = () => ({
    compress: async ({ buffer }) => promisify(zstdCompress)(buffer),
    decompress: async (buffer) => promisify(zstdDecompress)(buffer),
  });
}

/** Java clients write snappy-java's stream, librdkafka may write one bare block. */
function* snappyBlocks(buffer: Buffer): Generator<Buffer> {
  if (!buffer.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    yield buffer;
    return;
  }
  for (let at = XERIAL_HEADER.length; at < buffer.length; ) {
    const size = buffer.readInt32BE(at);
    yield buffer.subarray(at + 4, at + 4 + size);
    at += 4 + size;
  }
}
