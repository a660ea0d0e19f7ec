import { execFile } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Platform } from "../setup/platform.ts";
import { file, type ImageFile } from "./file.ts";
import { neededLibraries } from "./needed-libraries.ts";
import { platformFiles } from "./traced-files.ts";

const run = promisify(execFile);

/** Node's place in an image. */
export const NODE_PATH = "usr/local/bin/node";
/** The user that images run as unless a cluster gives another. Its group is 0, as OpenShift's are. */
export const USER = "1001:0";

const PASSWD = `root:x:0:0:root:/root:/sbin/nologin\nheadrace:x:1001:0:headrace:/tmp:/sbin/nologin\n`;
/** The authorities of the public internet, below `/`. */
export const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";
/** libc and what is built with it; everything else that is linked counts into an image's own size. */
const LIBC = /\/(ld-linux[^/]*|libc|libm|libdl|libpthread|librt|libresolv|libgcc_s|libstdc\+\+)\.so(\.[\d.]+)?$/;

/** A shared library of a platform. */
export interface SharedLibrary {
  /** Where the loader looks for it. */
  readonly path: string;
  /** Where it is on this machine. */
  readonly source: string;
  readonly isLibc: boolean;
}

/** What every image has: Node, libc, users, a directory for temporary files. */
export async function nodeFiles(platform: Platform): Promise<readonly ImageFile[]> {
  const libraries = await librariesOf([platform.node], platform);
  const notes = ["LICENSE"].map((name) => join(dirname(platform.node), "..", name)).filter(existsSync);
  return [
    file(NODE_PATH, readFileSync(platform.node), true),
    ...notes.map((path) => file("usr/share/licenses/node/LICENSE", readFileSync(path))),
    ...libraries.map(toFile),
    file("etc/passwd", PASSWD),
    file("etc/group", "root:x:0:\n"),
    // Without it glibc asks DNS first, and /etc/hosts, where kubelets write, only if there is no DNS.
    file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    { kind: "directory", path: "tmp", mode: 0o1777 },
  ];
}

/** The libraries that native addons need beside Node's own, and the authorities of the public internet, for TLS in librdkafka. */
export async function addonFiles(addons: readonly string[], platform: Platform): Promise<readonly ImageFile[]> {
  const own = new Set((await librariesOf([platform.node], platform)).map(({ path }) => path));
  const all = await librariesOf(addonsOf(addons, platform), platform);
  const libraries = all.filter(({ path }) => !own.has(path));
  if (!existsSync(`/${CERTIFICATES}`)) throw new Error(`/${CERTIFICATES} does not exist: install ca-certificates`);
  return [...libraries.map(toFile), file(CERTIFICATES, readFileSync(`/${CERTIFICATES}`))];
}

/** Where the addons, named by their paths on this machine, are for the platform. */
export function addonsOf(addons: readonly string[], platform: Pick<Platform, "addonDir" | "packages">): string[] {
  return platformFiles(addons, platform).map(({ source }) => source);
}

/**
 * The shared libraries that the loader maps for the programs or addons: `ldd` tells for this machine, the libraries that each names for
 * others. Throws if one is not found.
 */
export async function librariesOf(
  binaries: readonly string[],
  { sysroot }: Pick<Platform, "sysroot">,
): Promise<readonly SharedLibrary[]> {
  if (sysroot !== "") return (await neededLibraries(binaries, sysroot)).map((path) => toLibrary(path, sysroot));
  const paths = new Set<string>();
  for (const binary of binaries) {
    const { stdout } = await run("ldd", [binary]);
    for (const path of parseLdd(stdout)) paths.add(path);
  }
  return [...paths].toSorted().map((path) => toLibrary(path, ""));
}

function toLibrary(path: string, sysroot: string): SharedLibrary {
  return { path, source: `${sysroot}${path}`, isLibc: LIBC.test(path) };
}

/** Paths in the output of `ldd`. Throws for a library that is not there. */
export function parseLdd(output: string): readonly string[] {
  const missing = /^\s*(\S+) => not found$/m.exec(output)?.[1];
  if (missing !== undefined) throw new Error(`the library ${missing} is not installed`);
  return [...output.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm)].map(([, path = ""]) => path);
}

function toFile({ path, source }: SharedLibrary): ImageFile {
  return file(path.slice(1), readFileSync(realpathSync(source)), true);
}
