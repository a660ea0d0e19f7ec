import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";

const run = promisify(execFile);

/** A file of Maven Central. */
export interface MavenFile {
  /** How progress names it. */
  readonly title: string;
  /** `group:artifact:version`, and `:packaging:classifier` where it has those. */
  readonly artifact: string;
  /** Of the file, as Maven names it. */
  readonly name: string;
  /** Folder of the cache. */
  readonly folder: string;
}

/** Its path; fetched once, by Maven, without what it needs. */
export async function mavenFile({ title, artifact, name, folder }: MavenFile): Promise<string> {
  const dir = join(cacheDir(), folder);
  const file = join(dir, name);
  if (existsSync(file)) return file;
  mkdirSync(dir, { recursive: true });
  return await withLock(dir, async () => {
    if (existsSync(file)) return file;
    const partial = `${dir}/${process.pid}.partial`;
    await step(`fetch ${title} from Maven`, async () => {
      const args = ["-q", "-B", "dependency:copy", `-Dartifact=${artifact}`, `-DoutputDirectory=${partial}`];
      await run("mvn", args, { cwd: dir, maxBuffer: 1 << 26 });
      await rename(join(partial, name), file);
    });
    await rm(partial, { recursive: true, force: true });
    return file;
  });
}
