import { createWriteStream, existsSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { openPromise } from "yauzl";
import { z } from "zod";
import { download, FetchError, reasonOf } from "./download.ts";
import { type Stage, stageDirectory, unpackTar } from "./staged-directory.ts";

/** A file that belongs to a Java plugin, as the operator passes it on. */
export const Artifact = z.strictObject({
  directory: z.string().min(1),
  type: z.enum(["jar", "tgz", "zip", "other"]),
  url: z.string().min(1),
  /** In hexadecimal digits. */
  sha512: z.string().optional(),
  fileName: z.string().optional(),
});
export type Artifact = z.infer<typeof Artifact>;

/**
 * Fetches an artifact into its directory: archives unpacked, other files as they are. A directory that is there is complete and is left
 * alone, so this may be repeated; nothing of a file with another sum gets there. Throws FetchError.
 */
export async function fetchArtifact(artifact: Artifact, signal: AbortSignal): Promise<void> {
  const { directory, type, url, sha512 } = artifact;
  if (existsSync(directory)) return;
  await mkdir(dirname(directory), { recursive: true });
  async function fill({ file, partial }: Stage, deadline: AbortSignal): Promise<void> {
    const hash = await download({ url, file, algorithm: "sha512", headers: {}, advice: "" }, deadline);
    const found = hash.toString("hex");
    if (sha512 !== undefined && found !== sha512) {
      throw new FetchError(
        `${url} has the SHA-512 sum ${found}, not ${sha512}: it is another file; check where it comes from, or correct sha512sum`,
      );
    }
    await place(artifact, file, partial);
  }
  try {
    await stageDirectory(directory, fill, signal);
  } catch (cause) {
    if (cause instanceof FetchError) throw cause;
    throw new FetchError(`${url} (${type}) could not be unpacked: ${reasonOf(cause)}`, { cause });
  }
}

async function place({ type, url, fileName }: Artifact, file: string, into: string): Promise<void> {
  switch (type) {
    case "tgz":
      return await unpackTar(file, into, 0);
    case "zip":
      return await unzip(file, into);
    case "jar":
    case "other":
      return await rename(file, join(into, nameOf(fileName ?? URL.parse(url)?.pathname ?? "", type)));
    default:
      throw new Error(`unreachable: ${type satisfies never}`);
  }
}

/** A jar must end in .jar to be found. */
function nameOf(path: string, type: "jar" | "other"): string {
  const name = basename(path) || "artifact";
  return type === "jar" && !name.endsWith(".jar") ? `${name}.jar` : name;
}

/** Names that would lead out of the directory are refused by the library. */
async function unzip(file: string, into: string): Promise<void> {
  const archive = await openPromise(file);
  try {
    for await (const entry of archive.eachEntry()) {
      const target = join(into, entry.fileName);
      await mkdir(entry.fileName.endsWith("/") ? target : dirname(target), { recursive: true });
      if (entry.fileName.endsWith("/")) continue;
      await pipeline(await archive.openReadStreamPromise(entry), createWriteStream(target));
    }
  } finally {
    archive.close();
  }
}
