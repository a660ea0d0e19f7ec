import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";
import { buildLibrdkafka, type Librdkafka } from "./librdkafka.ts";
import { hostPlatform, type Platform } from "./platform.ts";

const run = promisify(execFile);

const SOURCE_DIR = join(repoRoot, "native/src");

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
  release: { file: "headrace_native.node", librdkafka: [], compile: ["-O2"], link: ["-Wl,--strip-debug"] },
  asan: {
    file: "headrace_native_asan.node",
    // Without the undefined behaviour sanitizer: librdkafka relies on what it finds.
    librdkafka: ["-g", "-fno-omit-frame-pointer", "-fsanitize=address"],
    compile: ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"],
    link: ["-fsanitize=address,undefined"],
  },
} as const satisfies Record<
  NativeVariant,
  {
    readonly file: string;
    readonly librdkafka: readonly string[];
    readonly compile: readonly string[];
    readonly link: readonly string[];
  }
>;

/**
 * Builds librdkafka (kept in the cache) and the addon `native/build/headrace_native.node` (`headrace_native_asan.node`).
 * Does nothing if both are up to date; replaces the addon in one step, so that a process that has it loaded is not disturbed.
 * For another platform than this machine the addon is in that platform's folder.
 */
export async function buildNative(
  variant: NativeVariant = "release",
  platform: Platform = hostPlatform(),
): Promise<void> {
  const librdkafka = await buildLibrdkafka(platform, VARIANTS[variant].librdkafka);
  const directory = join(repoRoot, platform.addonDir);
  await mkdir(directory, { recursive: true });
  const target = join(directory, VARIANTS[variant].file);
  await withLock(target, async () => {
    const flags = compileFlags({ variant, librdkafka, platform });
    const fingerprint = await fingerprintOf(flags, variant, librdkafka);
    if (existsSync(target) && (await readFile(`${target}.key`, "utf8").catch(() => null)) === fingerprint) return;
    const how = { flags, variant, librdkafka, platform, target };
    await step(`build the native addon (${variant}, ${platform.architecture})`, () => compile(how));
    await writeFile(`${target}.key`, fingerprint);
  });
}

/** What is compiled for what, and the file that it gives. */
export interface NativeTarget {
  readonly variant: NativeVariant;
  readonly platform: Platform;
  readonly target: string;
}

/** Compiles the addon into a file, whether there is one already or not. */
export async function compileNative({ variant, platform, target }: NativeTarget): Promise<void> {
  const librdkafka = await buildLibrdkafka(platform, VARIANTS[variant].librdkafka);
  const flags = compileFlags({ variant, librdkafka, platform });
  await compile({ flags, variant, librdkafka, platform, target });
}

async function sourceFiles(): Promise<readonly string[]> {
  return (await readdir(SOURCE_DIR)).filter((name) => /\.(cc|h)$/.test(name)).sort();
}

/** What an addon is built of, and for what. */
interface Ingredients {
  readonly variant: NativeVariant;
  readonly librdkafka: Librdkafka;
  readonly platform: Platform;
}

function compileFlags({ variant, librdkafka, platform }: Ingredients): readonly string[] {
  return [
    ...COMMON_FLAGS,
    ...VARIANTS[variant].compile,
    ...(librdkafka.withStaticSsl ? ["-DHEADRACE_STATIC_SSL"] : []),
    "-isystem",
    platform.nodeHeaders,
    "-isystem",
    librdkafka.includeDir,
  ];
}

async function fingerprintOf(
  flags: readonly string[],
  variant: NativeVariant,
  librdkafka: Librdkafka,
): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([librdkafka, flags, VARIANTS[variant].link, process.version]));
  for (const name of await sourceFiles()) hash.update(name).update(await readFile(join(SOURCE_DIR, name)));
  return hash.digest("hex");
}

async function compile(
  how: Ingredients & { readonly flags: readonly string[]; readonly target: string },
): Promise<void> {
  const { variant, librdkafka, platform, flags, target } = how;
  const [compiler, ...always] = platform.cxx;
  const scratch = await mkdtemp(`${target}.`);
  try {
    const units = (await sourceFiles()).filter((name) => name.endsWith(".cc"));
    const objects = units.map((name) => join(scratch, `${name}.o`));
    const queue = units.entries();
    const worker = async () => {
      for (const [index, name] of queue) {
        const object = objects[index] ?? "";
        await run(compiler, [...always, ...flags, "-c", join(SOURCE_DIR, name), "-o", object], { maxBuffer: 1 << 26 });
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
    const linked = join(scratch, "addon.node");
    // No symbol of the archives may be seen outside, nor be replaced by one of node's own of the same name.
    const isolation = ["-Wl,--exclude-libs,ALL", "-Wl,-Bsymbolic"];
    // Its threads may outlive the environment that loaded it, so it stays in memory.
    const stay = "-Wl,-z,nodelete";
    const inputs = [...objects, librdkafka.archive, ...librdkafka.linkFlags];
    await run(
      compiler,
      [...always, "-shared", "-o", linked, ...VARIANTS[variant].link, ...isolation, stay, ...inputs],
      {
        maxBuffer: 1 << 26,
      },
    );
    await rename(linked, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

if (import.meta.main) await buildNative(process.argv[2] === "asan" ? "asan" : "release");
