import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where the libraries of arm64 Linux are: the loader itself where programs name it, the others where it looks (Debian). */
const DIRECTORIES = ["/lib", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];

/** Paths in `sysroot` of all libraries that the files need, and those that they need. Throws if one is not there. */
export async function neededLibraries(files: readonly string[], sysroot: string): Promise<readonly string[]> {
  const found = new Map<string, string>();
  const queue = [...files];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    const { stdout } = await run("readelf", ["--wide", "--dynamic", "--program-headers", file]);
    for (const name of parseNeeded(stdout)) {
      if (found.has(name)) continue;
      const directory = DIRECTORIES.find((one) => existsSync(`${sysroot}${one}/${name}`));
      if (directory === undefined) throw new Error(`the library ${name}, which ${file} needs, is not in ${sysroot}`);
      found.set(name, `${directory}/${name}`);
      queue.push(`${sysroot}${directory}/${name}`);
    }
  }
  return [...found.values()].toSorted();
}

/** Names of libraries, the loader among them, in the output of `readelf --dynamic --program-headers`. */
export function parseNeeded(output: string): readonly string[] {
  const named = [...output.matchAll(/\(NEEDED\)\s+Shared library: \[([^\]]+)\]/g)].map(([, name = ""]) => name);
  const loader = /program interpreter: \/lib\/([^\]]+)\]/.exec(output)?.[1];
  return [...new Set([...named, ...(loader === undefined ? [] : [loader])])];
}
