import { createHash } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar";

/** An archive of a plugin, as `npm pack` makes it, and where its contents belong. */
export interface PluginArchive {
  readonly directory: string;
  readonly url: string;
  /** As npm writes it: `sha512-` and the hash in base64. */
  readonly integrity: string;
}

/** An archive that cannot be had; the message says which, why and what to do. */
export class FetchError extends Error {
  override readonly name = "FetchError";
}

const TIMEOUT_MS = 300_000;
const MAX_BYTES = 1024 * 1024 * 1024;

/**
 * Fetches an archive, checks its hash, and unpacks it. A directory that is there is complete and is left alone, so this may be repeated.
 * Nothing of an archive with another hash is unpacked. `token` is sent to https addresses only. Throws FetchError.
 */
export async function fetchPlugin(archive: PluginArchive, token: string | null, signal: AbortSignal): Promise<void> {
  const { directory, url, integrity } = archive;
  if (existsSync(directory)) return;
  const file = `${directory}.tgz`;
  const partial = `${directory}.partial`;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  await mkdir(dirname(directory), { recursive: true });
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial);
    const found = await download({ url, file, algorithm: algorithmOf(integrity), token }, deadline);
    if (found !== integrity) {
      throw new FetchError(
        `${url} has the hash ${found}, not ${integrity}: it is another archive; check where it comes from, or correct integrity`,
      );
    }
    await unpack(file, partial, url);
    await rename(partial, directory);
  } finally {
    await rm(file, { force: true });
    await rm(partial, { recursive: true, force: true });
  }
}

function algorithmOf(integrity: string): string {
  const algorithm = /^(sha256|sha384|sha512)-[A-Za-z0-9+/]+={0,2}$/.exec(integrity)?.[1];
  if (algorithm === undefined)
    throw new FetchError(`integrity ${integrity} is none: it must be sha512-… as npm writes it`);
  return algorithm;
}

interface Download {
  readonly url: string;
  readonly file: string;
  readonly algorithm: string;
  readonly token: string | null;
}

/** The hash of what was written to `file`. */
async function download({ url, file, algorithm, token }: Download, signal: AbortSignal): Promise<string> {
  const headers = token !== null && url.startsWith("https:") ? { authorization: `Bearer ${token}` } : {};
  try {
    const response = await fetch(url, { headers, signal });
    if (!response.ok || response.body === null) {
      const advice =
        response.status === 401 || response.status === 403 ? "; set NPM_TOKEN in template.initContainer.env" : "";
      throw new FetchError(`${url} answered ${response.status}${advice}`);
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
    return `${algorithm}-${hash.digest("base64")}`;
  } catch (cause) {
    if (cause instanceof FetchError) throw cause;
    throw new FetchError(`${url} could not be fetched: ${reasonOf(cause)}`, { cause });
  }
}

/** Files and directories only: links could lead out of the package. */
async function unpack(file: string, into: string, url: string): Promise<void> {
  try {
    await extract({
      file,
      cwd: into,
      strip: 1,
      strict: true,
      filter: (_path, entry) => !("type" in entry) || ["File", "OldFile", "Directory"].includes(entry.type),
    });
  } catch (cause) {
    throw new FetchError(`${url} could not be unpacked: ${reasonOf(cause)}`, { cause });
  }
}

/** The cause that says something: fetch hides it one level down. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError" || error.name === "AbortError") return "no answer in time";
  return error.cause instanceof Error ? error.cause.message : error.message;
}
