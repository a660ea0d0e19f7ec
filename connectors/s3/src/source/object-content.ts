import { pipeline, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { DataError } from "@headrace/sdk";
import { compressionOf, createDecompressor } from "../format/compression.ts";
import type { ReadableObject } from "../format/source-format.ts";
import type { ObjectStore, StoredObject } from "../store/object-store.ts";

/** The content of an object as it is now: requests for it fail once it was replaced. `signal` ends all that is under way. */
export function contentOf(store: ObjectStore, object: StoredObject, signal: AbortSignal): ReadableObject {
  const { key, etag, size } = object;
  return {
    key,
    size,
    async *chunks() {
      const { chunks } = await store.get({ key, etag }, signal);
      const decompressor = createDecompressor(compressionOf(key));
      if (decompressor === null) yield* chunks;
      else yield* through(chunks, decompressor, key);
    },
    async range(from, to) {
      const { chunks } = await store.get({ key, etag, range: [from, to] }, signal);
      return await buffer(Readable.from(chunks));
    },
  };
}

async function* through(
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
