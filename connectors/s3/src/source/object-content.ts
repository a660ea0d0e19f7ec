import { pipeline, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { DataError } from "@headrace/sdk";
import { compressionOf } from "../format/compression.ts";
import type { ReadableObject } from "../format/source-format.ts";
import { zstdFrames } from "../format/zstd-frames.ts";
import type { ObjectStore, StoredObject } from "../store/object-store.ts";

/** The content of an object as it is now: requests for it fail once it was replaced. `signal` ends all that is under way. */
export function contentOf(store: ObjectStore, object: StoredObject, signal: AbortSignal): ReadableObject {
  const { key, etag, size } = object;
  return {
    key,
    size,
    async *chunks() {
      const { chunks, encoding } = await store.get({ key, etag }, signal);
      const compression = compressionOf(key);
      if (compression === "none" || compression === encoding) yield* chunks;
      else if (compression === "gzip") yield* through(chunks, createGunzip(), key);
      else for await (const frame of zstdFrames(chunks, key)) yield* through(frame, createZstdDecompress(), key);
    },
    async range(from, to) {
      if (from >= to) return Buffer.alloc(0); // HTTP has no such range.
      const { chunks } = await store.get({ key, etag, range: [from, to] }, signal);
      return await buffer(Readable.from(chunks));
    },
  };
}

/** What the decompressor makes of it. Throws DataError if it cannot; failures of `chunks` stay what they are. */
export async function* through(
  chunks: AsyncIterable<Uint8Array>,
  decompressor: NodeJS.ReadWriteStream & Readable,
  key: string,
): AsyncIterable<Uint8Array> {
  const source = Readable.from(chunks);
  let failure: unknown = null;
  source.once("error", (error) => {
    failure = error;
  });
  pipeline(source, decompressor, () => {}); // Its error comes out of the loop below.
  try {
    for await (const chunk of decompressor) yield chunk;
  } catch (cause) {
    throw (
      failure ??
      new DataError(`${key} cannot be decompressed: ${cause instanceof Error ? cause.message : cause}`, { cause })
    );
  } finally {
    source.destroy();
    decompressor.destroy();
  }
}
