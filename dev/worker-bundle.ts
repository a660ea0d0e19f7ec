import { existsSync, globSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type BuildOptions, build, type OutputFile, type Plugin } from "esbuild";
import { repoRoot } from "./cache.ts";

const OUT = "runtime/build";

/** The programs of the bundle, as paths in the repository: what Node is started with. */
export const WORKER_BUNDLE = { main: `${OUT}/main.js`, executor: `${OUT}/executor/main.js` } as const;

/** Native addons, which are found by their place. */
const ADDONS = ["@headrace/native", "lz4-napi", "snappy"];
/** What plugins import from the executor that loads them: there must be one of each. */
const SHARED = ["@headrace/sdk", "zod"];

/**
 * Node's own modules are required. An import of one reads all that it exports, so that Node loads what a few of them stand for, such as
 * its HTTP client and WebSockets.
 */
const requiredBuiltins: Plugin = {
  name: "required-builtins",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^node:/ }, ({ kind, path }) =>
      kind === "import-statement" ? { path, namespace: "builtin" } : { path, external: true },
    );
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({ contents: `module.exports = require("${path}");` }));
  },
};

const OPTIONS = {
  absWorkingDir: repoRoot,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node24",
  // What is imported when it is needed stays so.
  splitting: true,
  sourcemap: "linked",
  sourcesContent: false,
  // CommonJS packages require Node's modules.
  banner: {
    js: 'import { createRequire as createBundleRequire } from "node:module";\nconst require = createBundleRequire(import.meta.url);',
  },
  outdir: OUT,
  write: false,
  plugins: [requiredBuiltins],
  metafile: true,
  logLevel: "warning",
} as const satisfies BuildOptions;

/**
 * Puts the compiled worker and what it imports into a few files, {@link WORKER_BUNDLE}, which Node loads in half the time: one program for
 * the worker's process, which loads no plugins, and one for executors. The same inputs give the same bytes, and files that are right stay
 * untouched, so that a worker may run meanwhile. Resolves with the files that went in, as paths in the repository.
 */
export async function bundleWorker(): Promise<readonly string[]> {
  const programs = [
    { entryPoints: { main: "runtime/dist/main.js" }, external: ADDONS },
    { entryPoints: { "executor/main": "runtime/dist/executor/main.js" }, external: [...ADDONS, ...SHARED] },
  ];
  const built = await Promise.all(programs.map((program) => build({ ...OPTIONS, ...program })));
  await replaceFiles(built.flatMap(({ outputFiles }) => outputFiles));
  return [...new Set(built.flatMap(({ metafile }) => Object.keys(metafile.inputs)))].toSorted();
}

/** Leaves exactly these files in the folder; each is whole at any time. */
async function replaceFiles(files: readonly OutputFile[]): Promise<void> {
  for (const { path, contents } of files) {
    if (existsSync(path) && (await readFile(path)).equals(contents)) continue;
    await mkdir(dirname(path), { recursive: true });
    const partial = `${path}.${process.pid}`;
    await writeFile(partial, contents);
    await rename(partial, path);
  }
  const wanted = new Set(files.map(({ path }) => path));
  for (const path of globSync(join(repoRoot, OUT, "**/*.{js,map}"))) if (!wanted.has(path)) await rm(path);
}
