import type { Transform } from "node:stream";
import { constants, createGzip, createZstdCompress } from "node:zlib";

export const COMPRESSIONS = ["none", "gzip", "zstd"] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** What a name ends with. */
export const COMPRESSED_EXTENSION = { none: "", gzip: ".gz", zstd: ".zst" } as const satisfies Record<
  Compression,
  string
>;

/** One compressed stream, made piece by piece. */
export interface Compressor {
  /** Resolves with what is ready by then. */
  write(bytes: Uint8Array): Promise<readonly Uint8Array[]>;
  end(): Promise<readonly Uint8Array[]>;
  /** Frees what it holds, at any time. */
  destroy(): void;
}

/** `level`: of the method's own scale; -1: its default. */
export function createCompressor(compression: Compression, level: number): Compressor {
  switch (compression) {
    case "none":
      return { write: async (bytes) => [bytes], end: async () => [], destroy: () => {} };
    case "gzip":
      return fromTransform(createGzip({ level }));
    case "zstd":
      return fromTransform(
        createZstdCompress(level < 0 ? {} : { params: { [constants.ZSTD_c_compressionLevel]: level } }),
      );
    default:
      throw new Error(`unreachable: ${compression satisfies never}`);
  }
}

function fromTransform(transform: Transform): Compressor {
  let ready: Uint8Array[] = [];
  transform.on("data", (chunk: Buffer) => ready.push(chunk));
  const take = () => {
    const taken = ready;
    ready = [];
    return taken;
  };
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        transform.write(bytes, (error) => (error ? reject(error) : resolve(take())));
      }),
    end: () =>
      new Promise((resolve, reject) => {
        transform.once("error", reject);
        transform.once("end", () => resolve(take()));
        transform.end();
      }),
    destroy: () => void transform.destroy(),
  };
}

/** The compression that a name tells of. */
export function compressionOf(key: string): Compression {
  if (key.endsWith(COMPRESSED_EXTENSION.gzip)) return "gzip";
  return key.endsWith(COMPRESSED_EXTENSION.zstd) ? "zstd" : "none";
}
