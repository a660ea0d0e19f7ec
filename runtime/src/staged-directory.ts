import { mkdir, rename, rm } from "node:fs/promises";
import { extract, type TarOptionsWithAliases } from "tar";
import { FETCH_TIMEOUT_MS } from "./download.ts";

/** Where something that was fetched is until it is complete. */
export interface Stage {
  /** For the download. */
  readonly file: string;
  /** Becomes the directory. */
  readonly partial: string;
}

/**
 * Makes `directory` of what `fill` puts into the stage beside it, in one step, so that a directory that is there is complete. The parent
 * must be there. `fill` has a deadline. Nothing of the stage stays, whatever happens; throws what `fill` throws.
 */
export async function stageDirectory(
  directory: string,
  fill: (stage: Stage, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const stage = { file: `${directory}.download`, partial: `${directory}.partial` };
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
  try {
    await rm(stage.partial, { recursive: true, force: true });
    await mkdir(stage.partial);
    await fill(stage, deadline);
    await rename(stage.partial, directory);
  } finally {
    await rm(stage.file, { force: true });
    await rm(stage.partial, { recursive: true, force: true });
  }
}

/** Unpacks a tar archive without its first `strip` path elements. Files and directories only: links could lead out of it. */
export async function unpackTar(file: string, into: string, strip: number): Promise<void> {
  const filter: TarOptionsWithAliases["filter"] = (_path, entry) =>
    !("type" in entry) || ["File", "OldFile", "Directory"].includes(entry.type);
  await extract({ file, cwd: into, strip, strict: true, filter });
}
