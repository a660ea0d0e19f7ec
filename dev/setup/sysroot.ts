import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";

const run = promisify(execFile);
const ARCHITECTURE = "arm64";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const SOURCES = ["debian bookworm", "debian bookworm-updates", "debian-security bookworm-security"]
  .map((suite) => `deb [arch=${ARCHITECTURE} signed-by=${KEYRING}] http://deb.debian.org/${suite} main\n`)
  .join("");

/**
 * A directory with Debian's arm64 packages, and what they need, unpacked: libraries to link and libraries for images. apt checks them
 * as it checks this machine's own; nothing of this machine's package lists is touched, and root is not needed. Kept in the cache.
 */
export async function debianSysroot(packages: readonly string[]): Promise<string> {
  if (!existsSync(KEYRING)) throw new Error(`${KEYRING} is missing: install debian-archive-keyring`);
  const key = createHash("sha256")
    .update(JSON.stringify([SOURCES, packages]))
    .digest("hex")
    .slice(0, 12);
  const target = join(cacheDir(), "sysroot", `${ARCHITECTURE}-${key}`);
  await mkdir(join(cacheDir(), "sysroot"), { recursive: true });
  await withLock(target, async () => {
    if (existsSync(target)) return;
    await step(`fetch ${packages.join(", ")} of Debian for ${ARCHITECTURE}`, () => fetchInto(target, packages));
  });
  return target;
}

async function fetchInto(target: string, packages: readonly string[]): Promise<void> {
  const scratch = await mkdtemp(`${target}.`);
  try {
    const apt = await aptFor(join(scratch, "apt"));
    await apt(["update", "-qq"]);
    await apt(["install", "-qq", "--yes", "--download-only", "--no-install-recommends", ...packages]);
    const archives = join(scratch, "apt/cache/archives");
    const root = join(scratch, "root");
    const known: string[] = [];
    await mkdir(join(root, "var/lib/dpkg/info"), { recursive: true });
    await writeFile(join(root, "var/lib/dpkg/info/format"), "1\n"); // Lists have architectures in their names.
    for (const name of (await readdir(archives)).filter((one) => one.endsWith(".deb")).toSorted()) {
      await run("dpkg-deb", ["--extract", join(archives, name), root]);
      known.push(await remember(join(archives, name), root));
    }
    await writeFile(join(root, "var/lib/dpkg/status"), known.join("\n"));
    await rename(root, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What dpkg-query needs to know whose a file is. Answers the paragraph for the list of packages. */
async function remember(archive: string, root: string): Promise<string> {
  const { stdout: fields } = await run("dpkg-deb", ["--field", archive]);
  const { stdout: contents } = await run("dpkg-deb", ["--contents", archive], { maxBuffer: 1 << 26 });
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(fields)?.[1] ?? "";
  const paths = [...contents.matchAll(/ \.(\/\S*?)\/?( -> .*)?$/gm)].map(([, path = "/"]) =>
    path === "/" ? "/." : path,
  );
  const isShared = field("Multi-Arch") === "same";
  const list = isShared ? `${field("Package")}:${field("Architecture")}` : field("Package");
  await writeFile(join(root, "var/lib/dpkg/info", `${list}.list`), paths.map((path) => `${path}\n`).join(""));
  return fields.replace(/^(Package: .*)$/m, "$1\nStatus: install ok installed");
}

/** apt-get for the architecture, with all of its state in `dir`. */
async function aptFor(dir: string): Promise<(args: readonly string[]) => Promise<void>> {
  for (const path of ["state/lists/partial", "cache/archives/partial"])
    await mkdir(join(dir, path), { recursive: true });
  await writeFile(join(dir, "state/status"), "");
  await writeFile(join(dir, "sources.list"), SOURCES);
  const options = {
    "APT::Architecture": ARCHITECTURE,
    "APT::Architectures": ARCHITECTURE,
    "APT::Sandbox::User": "root",
    "Dir::State": join(dir, "state"),
    "Dir::State::status": join(dir, "state/status"),
    "Dir::Cache": join(dir, "cache"),
    "Dir::Etc::sourcelist": join(dir, "sources.list"),
    "Dir::Etc::sourceparts": "/nonexistent",
  };
  const common = Object.entries(options).map(([name, value]) => `--option=${name}=${value}`);
  return async (args) => {
    await run("apt-get", [...common, ...args], { maxBuffer: 1 << 26 });
  };
}
