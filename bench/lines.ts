import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";

const LINES_AT_ONCE = 4_096;

/** Line number `index` of `bytes` characters, different from all others. */
export function lineOf(index: number, bytes: number): string {
  return `${index} `.padEnd(bytes, "abcdefghijklmnopqrstuvwxyz0123456789");
}

/** Writes `count` different lines, by default {@link lineOf} `bytes` characters, and resolves with the SHA-256 of the file. */
export async function writeLines(
  file: string,
  count: number,
  bytes: number,
  line: (index: number, bytes: number) => string = lineOf,
): Promise<string> {
  const out = createWriteStream(file);
  const hash = createHash("sha256");
  for (let from = 0; from < count; from += LINES_AT_ONCE) {
    const length = Math.min(LINES_AT_ONCE, count - from);
    const lines = Array.from({ length }, (_, index) => `${line(from + index, bytes)}\n`).join("");
    hash.update(lines);
    if (!out.write(lines)) await once(out, "drain");
  }
  out.end();
  await once(out, "close");
  return hash.digest("hex");
}

/** SHA-256 of a file. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}
