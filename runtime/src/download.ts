import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A file that cannot be had or used; the message says which, why and what to do. */
export class FetchError extends Error {
  override readonly name = "FetchError";
}

export const FETCH_TIMEOUT_MS = 300_000;
const MAX_BYTES = 1024 * 1024 * 1024;

export interface Download {
  readonly url: string;
  readonly file: string;
  readonly algorithm: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What to do about an answer 401 or 403, "" if nothing is known. */
  readonly advice: string;
}

/** Downloads to `file` and answers the hash of what came. Throws FetchError. */
export async function download(
  { url, file, algorithm, headers, advice }: Download,
  signal: AbortSignal,
): Promise<Buffer> {
  try {
    const response = await fetch(url, { headers, signal });
    if (!response.ok || response.body === null) {
      const refused = response.status === 401 || response.status === 403;
      throw new FetchError(`${url} answered ${response.status}${refused ? advice : ""}`);
    }
    const hash = createHash(algorithm);
    let bytes = 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        hash.update(chunk);
        if (bytes > MAX_BYTES) done(new FetchError(`${url} is larger than ${MAX_BYTES} bytes`));
        else done(null, chunk);
      },
    });
    await pipeline(Readable.fromWeb(response.body), count, createWriteStream(file), { signal });
    return hash.digest();
  } catch (cause) {
    if (cause instanceof FetchError) throw cause;
    throw new FetchError(`${url} could not be fetched: ${reasonOf(cause)}`, { cause });
  }
}

/** The cause that says something: fetch hides it one level down. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError" || error.name === "AbortError") return "no answer in time";
  return error.cause instanceof Error ? error.cause.message : error.message;
}
