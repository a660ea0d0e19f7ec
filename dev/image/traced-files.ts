import { globSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { nodeFileTrace } from "@vercel/nft";
import { repoRoot } from "../cache.ts";
import type { Platform } from "../setup/platform.ts";
import type { ImageFile } from "./file.ts";

/** Where the program's files are in an image; below it paths are the repository's. */
export const APP_DIR = "opt/headrace/app";

/** What a program is made of. */
export interface TracedProgram {
  /** Modules that Node is started with, paths in the repository. */
  readonly entries: readonly string[];
  /** Files that are in the entries, so that only the manifests and licences of their packages are needed. */
  readonly bundled: readonly string[];
  /** Files that are there beside what the entries import, as globs: what plugins may import, and what is read at run time. */
  readonly also: readonly string[];
}

/** What is there of every package, whether its files are or not. */
const PAPERS = /^(licen[cs]e|notice|copying|package\.json$)/i;

/**
 * The files that the program can load, found by following its imports (`@vercel/nft`), with the manifests and licences of their
 * packages. Development dependencies, types, sources and tests are not among them, since nothing imports them.
 */
export async function tracedFiles(
  { entries, bundled, also }: TracedProgram,
  platform: Platform,
): Promise<readonly ImageFile[]> {
  const { fileList } = await nodeFileTrace(
    entries.map((entry) => join(repoRoot, entry)),
    {
      base: repoRoot,
      conditions: ["node", "import", "default"],
      analysis: { emitGlobs: false, computeFileReferences: false },
    },
  );
  const further = also.flatMap((pattern) => {
    const found = globSync(pattern, { cwd: repoRoot });
    if (found.length === 0) throw new Error(`an image wants ${pattern}, and there is no such file`);
    return found.filter((path) => lstatSync(join(repoRoot, path)).isFile());
  });
  const paths = new Set([...fileList, ...further]);
  for (const directory of packagesOf([...paths, ...bundled])) for (const paper of papersIn(directory)) paths.add(paper);
  return platformFiles([...paths], platform).map(toImageFile);
}

/** A file of this machine, and its path in an image. */
interface Source {
  readonly path: string;
  readonly source: string;
}

/** The paths as they are for the platform: its addon, its packages in place of this machine's. */
export function platformFiles(
  paths: readonly string[],
  { addonDir, packages }: Pick<Platform, "addonDir" | "packages">,
): readonly Source[] {
  const replaced = [...packages].map(([name, directory]) => ({ prefix: `node_modules/${name}/`, name, directory }));
  const kept = paths.filter((path) => !replaced.some(({ prefix }) => path.startsWith(prefix)));
  const others = replaced
    .filter(({ prefix }) => paths.some((path) => path.startsWith(prefix)))
    .flatMap(({ name, directory }) =>
      globSync("**", { cwd: directory })
        .filter((path) => lstatSync(join(directory, path)).isFile())
        .map((path) => ({
          path: `node_modules/${name.replace("-x64-", "-arm64-")}/${path}`,
          source: join(directory, path),
        })),
    );
  return [
    ...kept.map((path) => ({
      path,
      source: join(
        repoRoot,
        path.replace(/^native\/build\//, () => `${addonDir}/`),
      ),
    })),
    ...others,
  ];
}

/** The packages, ours and others', that files are in: directories in the repository. */
export function packagesOf(paths: Iterable<string>): ReadonlySet<string> {
  const packages = new Set<string>();
  for (const path of paths) {
    const name =
      /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? /^(connectors\/[^/]+|[^/]+)\/.*$/.exec(path)?.[1];
    if (name !== undefined) packages.add(name);
  }
  return packages;
}

function papersIn(directory: string): readonly string[] {
  return globSync(`${directory}/*`, { cwd: repoRoot })
    .filter((path) => PAPERS.test(path.slice(directory.length + 1)))
    .filter((path) => lstatSync(join(repoRoot, path)).isFile());
}

function toImageFile({ path, source }: Source): ImageFile {
  const target = `${APP_DIR}/${path}`;
  if (lstatSync(source).isSymbolicLink()) return { kind: "link", path: target, target: readlinkSync(source) };
  return { kind: "file", path: target, content: readFileSync(source), executable: false };
}
