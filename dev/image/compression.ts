import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { cacheDir } from "../cache.ts";

/** What is larger (Node and libc) takes longest and changes rarest: it stays in the cache. */
const KEPT_BYTES = 16e6;

/** Compresses layers; one that several images have, once, and a large one once for all builds. The same tar gives the same bytes. */
export function gzipOnce(): (tar: Buffer) => Buffer {
  const done = new Map<string, Buffer>();
  return (tar) => {
    const digest = createHash("sha256").update(tar).digest("hex");
    const known = done.get(digest) ?? (tar.length > KEPT_BYTES ? gzipKept(tar, digest) : gzip(tar));
    done.set(digest, known);
    return known;
  };
}

const gzip = (tar: Buffer) => gzipSync(tar, { level: 6 });

function gzipKept(tar: Buffer, digest: string): Buffer {
  const file = join(cacheDir(), "layers", `${digest}-${process.versions.zlib}.gz`);
  if (existsSync(file)) return readFileSync(file);
  const compressed = gzip(tar);
  mkdirSync(join(cacheDir(), "layers"), { recursive: true });
  const partial = `${file}.${process.pid}`;
  writeFileSync(partial, compressed);
  renameSync(partial, file);
  return compressed;
}
