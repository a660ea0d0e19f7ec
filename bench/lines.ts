import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";

const LINES_AT_ONCE = 4_096;

/** Writes `count` different lines of `bytes` characters each, and resolves with the SHA-256 of the file. */
export async function writeLines(file: string, count: number, bytes: number): Promise<string> {
  const out = createWriteStream(file);
  const hash = createHash("sha256");
  const filler = "abcdefghijklmnopqrstuvwxyz0123456789".repeat(Math.ceil(bytes / 36)).slice(0, bytes);
  for (let from = 0; from < count; from += LINES_AT_ONCE) {
    const lines = Array.from({ length: Math.min(LINES_AT_ONCE, count - from) }, (_, index) => {
      const number = `${from + index} `;
      return `${number}${filler.slice(number.length)}\n`;
    }).join("");
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
