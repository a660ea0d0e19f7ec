import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { repoRoot } from "../cache.ts";

/** As images name it. */
export type Architecture = "amd64" | "arm64";

/** What native parts are built for, and what of it goes into an image. */
export interface Platform {
  readonly architecture: Architecture;
  /** Directory of its file system; empty for this machine's own. */
  readonly sysroot: string;
  /** The C compiler, with arguments that it always needs. */
  readonly cc: readonly [command: string, ...args: string[]];
  readonly cxx: readonly [command: string, ...args: string[]];
  /** Node's program. */
  readonly node: string;
  /** Directory with `node_api.h`. */
  readonly nodeHeaders: string;
  /** Folder of the addon in the repository. */
  readonly addonDir: string;
  /** Packages that are there for one architecture only: names of this machine's, directories of the platform's. */
  readonly packages: ReadonlyMap<string, string>;
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = { x64: "amd64", arm64: "arm64" };

/** This machine. Throws if images are not made for its architecture. */
export function hostPlatform(): Platform {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`no image for the architecture ${process.arch}`);
  return {
    architecture,
    sysroot: "",
    cc: ["gcc"],
    cxx: ["g++"],
    node: process.execPath,
    nodeHeaders: headersOf([
      join(repoRoot, `node_modules/node-linux-${process.arch}/include/node`),
      join(dirname(process.execPath), "../include/node"),
    ]),
    addonDir: "native/build",
    packages: new Map(),
  };
}

/** The first of the directories that has Node's headers. */
export function headersOf(candidates: readonly string[]): string {
  const found = candidates.find((directory) => existsSync(join(directory, "node_api.h")));
  if (found === undefined) throw new Error(`no Node headers in ${candidates.join(" or ")}`);
  return found;
}
