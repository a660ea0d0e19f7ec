import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { download, FetchError, reasonOf } from "./download.ts";
import { type Stage, stageDirectory, unpackTar } from "./staged-directory.ts";

/** An archive of a plugin, as `npm pack` makes it, and where its contents belong. */
export interface PluginArchive {
  readonly directory: string;
  readonly url: string;
  /** As npm writes it: `sha512-` and the hash in base64. */
  readonly integrity: string;
}

/**
 * Fetches an archive, checks its hash, and unpacks it. A directory that is there is complete and is left alone, so this may be repeated.
 * Nothing of an archive with another hash is unpacked. `token` is sent to https addresses only. Throws FetchError.
 */
export async function fetchPlugin(archive: PluginArchive, token: string | null, signal: AbortSignal): Promise<void> {
  const { directory, url, integrity } = archive;
  if (existsSync(directory)) return;
  await mkdir(dirname(directory), { recursive: true });
  async function fill({ file, partial }: Stage, deadline: AbortSignal): Promise<void> {
    const algorithm = algorithmOf(integrity);
    const headers: Record<string, string> =
      token !== null && url.startsWith("https:") ? { authorization: `Bearer ${token}` } : {};
    const advice = "; set NPM_TOKEN in template.initContainer.env";
    const hash = await download({ url, file, algorithm, headers, advice }, deadline);
    const found = `${algorithm}-${hash.toString("base64")}`;
    if (found !== integrity) {
      throw new FetchError(
        `${url} has the hash ${found}, not ${integrity}: it is another archive; check where it comes from, or correct integrity`,
      );
    }
    await unpack(file, partial, url);
  }
  await stageDirectory(directory, fill, signal);
}

function algorithmOf(integrity: string): string {
  const algorithm = /^(sha256|sha384|sha512)-[A-Za-z0-9+/]+={0,2}$/.exec(integrity)?.[1];
  if (algorithm === undefined)
    throw new FetchError(`integrity ${integrity} is none: it must be sha512-… as npm writes it`);
  return algorithm;
}

async function unpack(file: string, into: string, url: string): Promise<void> {
  try {
    await unpackTar(file, into, 1);
  } catch (cause) {
    throw new FetchError(`${url} could not be unpacked: ${reasonOf(cause)}`, { cause });
  }
}
