import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** A file of a volume. */
export interface VolumeFile {
  readonly data: Buffer;
  readonly mode: number;
}

/**
 * Writes a volume's files as the kubelet's AtomicWriter does: into a fresh directory to which the link `..data` is switched in one step, with
 * a link per top-level name through it, so that a reader sees the old files or the new ones. Does nothing if they are there already.
 */
export function writeVolumeFiles(dir: string, files: ReadonlyMap<string, VolumeFile>): void {
  mkdirSync(dir, { recursive: true });
  const previous = currentVersion(dir);
  if (previous !== undefined && isSame(join(dir, previous), files)) return;

  const version = `..${Date.now()}_${process.hrtime.bigint() % 1_000_000n}`;
  mkdirSync(join(dir, version));
  for (const [path, { data, mode }] of files) {
    const file = join(dir, version, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, data, { mode });
  }
  symlinkSync(version, join(dir, "..data_tmp"));
  renameSync(join(dir, "..data_tmp"), join(dir, "..data"));

  const names = new Set([...files.keys()].map((path) => path.split("/")[0] ?? path));
  const present = new Set(readdirSync(dir).filter((name) => !name.startsWith("..")));
  for (const name of names) if (!present.has(name)) symlinkSync(join("..data", name), join(dir, name));
  for (const name of present) if (!names.has(name)) rmSync(join(dir, name), { recursive: true });
  if (previous !== undefined) rmSync(join(dir, previous), { recursive: true });
}

function currentVersion(dir: string): string | undefined {
  rmSync(join(dir, "..data_tmp"), { force: true });
  try {
    return readlinkSync(join(dir, "..data"));
  } catch {
    return undefined;
  }
}

function isSame(dir: string, files: ReadonlyMap<string, VolumeFile>): boolean {
  const present = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  if (present.length !== files.size) return false;
  return present.every((entry) => {
    const path = join(entry.parentPath, entry.name);
    return files.get(path.slice(dir.length + 1))?.data.equals(readFileSync(path)) === true;
  });
}
