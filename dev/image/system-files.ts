import { execFile } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";
import { file, type ImageFile } from "./file.ts";

const run = promisify(execFile);

/** Node's place in an image. */
export const NODE_PATH = "usr/local/bin/node";
/** The user that images run as unless a cluster gives another. Its group is 0, as OpenShift's are. */
export const USER = "1001:0";

const PASSWD = `root:x:0:0:root:/root:/sbin/nologin\nheadrace:x:1001:0:headrace:/tmp:/sbin/nologin\n`;
const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";
/** libc and what is built with it; everything else that is linked counts into an image's own size. */
const LIBC = /\/(ld-linux[^/]*|libc|libm|libdl|libpthread|librt|libresolv|libgcc_s|libstdc\+\+)\.so(\.[\d.]+)?$/;

/** A shared library of this machine. */
export interface SharedLibrary {
  /** Where the loader looks for it. */
  readonly path: string;
  readonly isLibc: boolean;
}

/** What every image has: Node, libc, users, a directory for temporary files. */
export async function nodeFiles(): Promise<readonly ImageFile[]> {
  const libraries = await librariesOf([process.execPath]);
  const notes = ["LICENSE"].map((name) => join(dirname(process.execPath), "..", name)).filter(existsSync);
  return [
    file(NODE_PATH, readFileSync(process.execPath), true),
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
export async function addonFiles(addons: readonly string[]): Promise<readonly ImageFile[]> {
  const own = new Set((await librariesOf([process.execPath])).map(({ path }) => path));
  const libraries = (await librariesOf(addons.map((path) => join(repoRoot, path)))).filter(
    ({ path }) => !own.has(path),
  );
  if (!existsSync(`/${CERTIFICATES}`)) throw new Error(`/${CERTIFICATES} does not exist: install ca-certificates`);
  return [...libraries.map(toFile), file(CERTIFICATES, readFileSync(`/${CERTIFICATES}`))];
}

/** The shared libraries that the loader maps for the programs or addons (`ldd`). Throws if one is not found. */
export async function librariesOf(binaries: readonly string[]): Promise<readonly SharedLibrary[]> {
  const paths = new Set<string>();
  for (const binary of binaries) {
    const { stdout } = await run("ldd", [binary]);
    for (const path of parseLdd(stdout)) paths.add(path);
  }
  return [...paths].toSorted().map((path) => ({ path, isLibc: LIBC.test(path) }));
}

/** Paths in the output of `ldd`. Throws for a library that is not there. */
export function parseLdd(output: string): readonly string[] {
  const missing = /^\s*(\S+) => not found$/m.exec(output)?.[1];
  if (missing !== undefined) throw new Error(`the library ${missing} is not installed`);
  return [...output.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm)].map(([, path = ""]) => path);
}

function toFile({ path }: SharedLibrary): ImageFile {
  return file(path.slice(1), readFileSync(realpathSync(path)), true);
}
