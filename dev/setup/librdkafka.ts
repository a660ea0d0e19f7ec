import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { isAbsolute, join, normalize } from "node:path";
import { promisify } from "node:util";
import { cacheDir, repoRoot } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";
import { aptInstall } from "./debian-packages.ts";
import { changeLibrdkafka, librdkafkaChanges } from "./librdkafka-changes.ts";
import { hostPlatform, type Platform } from "./platform.ts";

const run = promisify(execFile);

/** The sources that npm's node-rdkafka ships; read only. */
const SOURCES = join(repoRoot, "node_modules/node-rdkafka/deps/librdkafka");

/** A library that librdkafka can use, and what is lost without it. */
interface Dependency {
  readonly name: "ssl" | "zlib" | "zstd" | "gssapi" | "curl";
  readonly header: string;
  readonly debianPackage: string;
  /** librdkafka's name for the archives; linked into the addon if they are there. */
  readonly archives: Readonly<Record<string, string>>;
  readonly purpose: string;
}

/**
 * OpenSSL, zlib and zstd are linked from archives where these exist: node itself exports symbols of the same names, of other versions,
 * and would otherwise answer for them.
 */
const DEPENDENCIES: readonly Dependency[] = [
  {
    name: "ssl",
    header: "openssl/ssl.h",
    debianPackage: "libssl-dev",
    archives: { STATIC_LIB_libcrypto: "libcrypto.a", STATIC_LIB_libssl: "libssl.a" },
    purpose: "TLS, SASL SCRAM and OAUTHBEARER",
  },
  {
    name: "zlib",
    header: "zlib.h",
    debianPackage: "zlib1g-dev",
    archives: { STATIC_LIB_zlib: "libz.a" },
    purpose: "gzip compression",
  },
  {
    name: "zstd",
    header: "zstd.h",
    debianPackage: "libzstd-dev",
    archives: { STATIC_LIB_libzstd: "libzstd.a" },
    purpose: "zstd compression",
  },
  {
    name: "gssapi",
    header: "sasl/sasl.h",
    debianPackage: "libsasl2-dev",
    archives: {},
    purpose: "SASL GSSAPI (Kerberos)",
  },
  {
    name: "curl",
    header: "curl/curl.h",
    debianPackage: "libcurl4-openssl-dev",
    archives: {},
    purpose: "OAUTHBEARER tokens over HTTP (OIDC)",
  },
];

/** librdkafka, built for linking into the addon. */
export interface Librdkafka {
  /** Names this build: version and what went into it. */
  readonly key: string;
  readonly includeDir: string;
  readonly archive: string;
  /** Linker arguments for what librdkafka itself needs: absolute archives and -l flags. */
  readonly linkFlags: readonly string[];
  readonly withStaticSsl: boolean;
}

/**
 * Builds `librdkafka.a`, position independent, into the cache, or finds it there. Missing Debian packages are installed first where that
 * is possible; otherwise standard error says which feature will be missing. `flags` are more of the C compiler's.
 */
export async function buildLibrdkafka(
  platform: Platform = hostPlatform(),
  flags: readonly string[] = [],
): Promise<Librdkafka> {
  if (platform.sysroot === "") await installMissing(platform);
  const found: Dependency[] = [];
  for (const dependency of DEPENDENCIES) if (await hasHeader(dependency.header, platform)) found.push(dependency);
  const archives = await findArchives(found, platform);
  const version = await librdkafkaVersion();
  const features = found.map(({ name }) => name).join("-");
  const ingredients = JSON.stringify([archives, configureArgs(found), flags, await librdkafkaChanges()]);
  const fingerprint = createHash("sha256").update(ingredients);
  const place = platform.sysroot === "" ? process.arch : platform.architecture;
  const key = [version, process.platform, place, features, fingerprint.digest("hex").slice(0, 8)].join("-");
  const target = join(cacheDir(), "librdkafka", key);
  await mkdir(join(cacheDir(), "librdkafka"), { recursive: true });
  await withLock(target, async () => {
    if ((await readLinkFlags(target)) !== null) return;
    await step(`build librdkafka ${version} (${platform.architecture})`, () =>
      compile({ target, found, archives, flags, platform }),
    );
  });
  const linkFlags = await readLinkFlags(target);
  if (linkFlags === null) throw new Error(`${target} is incomplete; remove it and try again`);
  return {
    key,
    includeDir: join(target, "include"),
    archive: join(target, "lib/librdkafka.a"),
    linkFlags,
    withStaticSsl: archives["STATIC_LIB_libssl"] !== undefined,
  };
}

/** The archives that {@link buildLibrdkafka} links into the addon, by their paths below the platform's root. */
export async function linkedArchives(platform: Platform): Promise<readonly string[]> {
  const { linkFlags } = await buildLibrdkafka(platform);
  return linkFlags.filter(isAbsolute).map((path) => normalize(path).slice(platform.sysroot.length));
}

async function installMissing(platform: Platform): Promise<void> {
  const missing: Dependency[] = [];
  for (const dependency of DEPENDENCIES) if (!(await hasHeader(dependency.header, platform))) missing.push(dependency);
  if (missing.length === 0) return;
  const packages = missing.map(({ debianPackage }) => debianPackage);
  try {
    if (process.getuid?.() !== 0) throw new Error("not root");
    await aptInstall(packages.join(", "), packages);
  } catch {
    for (const { debianPackage, purpose } of missing)
      process.stderr.write(`  without ${debianPackage}: no ${purpose}\n`);
  }
}

async function hasHeader(header: string, { cc: [compiler, ...args] }: Platform): Promise<boolean> {
  const check = run(compiler, [...args, "-E", "-o", "/dev/null", "-include", header, "-x", "c", "/dev/null"]);
  return await check.then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT")
        throw new Error(`${compiler} is not installed; install a C and C++ compiler`, { cause: error });
      return false;
    },
  );
}

async function findArchives(
  found: readonly Dependency[],
  { cc: [compiler, ...args] }: Platform,
): Promise<Record<string, string>> {
  const archives: Record<string, string> = {};
  for (const { archives: wanted } of found) {
    const paths: [string, string][] = [];
    for (const [variable, file] of Object.entries(wanted)) {
      const { stdout } = await run(compiler, [...args, `-print-file-name=${file}`]);
      if (isAbsolute(stdout.trim())) paths.push([variable, stdout.trim()]);
    }
    if (paths.length === Object.keys(wanted).length) Object.assign(archives, Object.fromEntries(paths));
  }
  return archives;
}

async function librdkafkaVersion(): Promise<string> {
  const header = await readFile(join(SOURCES, "src/rdkafka.h"), "utf8").catch((cause: unknown) => {
    throw new Error(`${SOURCES} has no sources; run npm install`, { cause });
  });
  const hex = /^#define RD_KAFKA_VERSION\s+0x([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/m.exec(header);
  if (hex === null) throw new Error(`${SOURCES}/src/rdkafka.h does not tell its version`);
  return hex
    .slice(1)
    .map((part) => Number.parseInt(part, 16))
    .join(".");
}

function configureArgs(found: readonly Dependency[]): readonly string[] {
  const switches = DEPENDENCIES.map(
    (dependency) => `--${found.includes(dependency) ? "enable" : "disable"}-${dependency.name}`,
  );
  return ["--disable-lz4-ext", "--disable-syslog", "--disable-debug-symbols", ...switches];
}

/** Compiles a copy of the sources beside `target` and moves the result there in one step. */
async function compile(how: {
  readonly target: string;
  readonly found: readonly Dependency[];
  readonly archives: Readonly<Record<string, string>>;
  readonly flags: readonly string[];
  readonly platform: Platform;
}): Promise<void> {
  const { target, found, archives, flags, platform } = how;
  const scratch = await mkdtemp(`${target}.`);
  try {
    const sources = join(scratch, "sources");
    await cp(SOURCES, sources, { recursive: true });
    await changeLibrdkafka(sources);
    // What pkg-config knows is about this machine.
    const cross = { CC: platform.cc.join(" "), CXX: platform.cxx.join(" "), PKG_CONFIG: "false" };
    const compilers = platform.sysroot === "" ? {} : cross;
    const env = { ...process.env, ...archives, ...compilers, ...(flags.length > 0 && { CFLAGS: flags.join(" ") }) };
    const options = { cwd: sources, env, maxBuffer: 1 << 26 };
    await run("./configure", [`--prefix=${scratch}`, ...configureArgs(found)], options);
    await run("make", [`-j${availableParallelism()}`, "-C", "src", "librdkafka.a"], options);
    const result = join(scratch, "result");
    await mkdir(join(result, "include/librdkafka"), { recursive: true });
    await mkdir(join(result, "lib"));
    await cp(join(sources, "src/rdkafka.h"), join(result, "include/librdkafka/rdkafka.h"));
    await cp(join(sources, "src/librdkafka.a"), join(result, "lib/librdkafka.a"));
    const config = await readFile(join(sources, "Makefile.config"), "utf8");
    await writeFile(join(result, "lib/link-flags.json"), JSON.stringify(linkFlagsOf(config)));
    await rm(target, { recursive: true, force: true });
    await rename(result, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The line `LIBS+=` of mklove's Makefile.config: archives and -l flags in link order. */
function linkFlagsOf(makefileConfig: string): readonly string[] {
  const line = /^LIBS\+=(.*)$/m.exec(makefileConfig)?.[1];
  if (line === undefined) throw new Error("librdkafka's Makefile.config has no LIBS");
  return line.trim().split(/\s+/);
}

async function readLinkFlags(target: string): Promise<readonly string[] | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(target, "lib/link-flags.json"), "utf8"));
    return Array.isArray(parsed) ? parsed.filter((flag) => typeof flag === "string") : null;
  } catch {
    return null; // Not built yet.
  }
}
