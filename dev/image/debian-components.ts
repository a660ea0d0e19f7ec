import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import type { Platform } from "../setup/platform.ts";
import type { Component } from "./bill-of-materials.ts";

const run = promisify(execFile);
const Ended = z.object({ code: z.union([z.number(), z.string()]), stdout: z.string() });

/** The packages that files come from, each once, in order. */
export async function debianComponents(
  paths: readonly string[],
  platform: Pick<Platform, "sysroot">,
): Promise<readonly Component[]> {
  const components = (await debianOwners(paths, platform)).values();
  return [...new Map([...components].map((component) => [component.purl, component])).values()].toSorted(
    (left, right) => (left.purl < right.purl ? -1 : 1),
  );
}

/**
 * The package of each file by dpkg's lists (those of the sysroot, if there is one, where paths begin); files that it does not know, and all on
 * machines without it, by their names.
 */
export async function debianOwners(
  paths: readonly string[],
  { sysroot }: Pick<Platform, "sysroot">,
): Promise<ReadonlyMap<string, Component>> {
  const query = (args: readonly string[]) =>
    dpkgQuery(sysroot === "" ? args : [`--admindir=${sysroot}/var/lib/dpkg`, ...args]);
  // Packages name the place of a file below /usr or without it.
  const places = paths.flatMap((path) => [path, path.startsWith("/usr/") ? path.slice(4) : `/usr${path}`]);
  const owners = parseOwners(await query(["--search", ...places]));
  const names = [...new Set(owners.values())];
  const versions = names.length === 0 ? new Map() : parseVersions(await query(["--show", ...names]));
  return new Map(
    paths.map((path) => {
      const name = owners.get(path) ?? owners.get(`/usr${path}`) ?? owners.get(path.slice(4));
      const version = name === undefined ? undefined : versions.get(name);
      return [path, name === undefined || version === undefined ? unknownLibrary(path) : debianPackage(name, version)];
    }),
  );
}

/** Lines `package:architecture: /path` of `dpkg-query --search`, as path to package. */
export function parseOwners(output: string): ReadonlyMap<string, string> {
  return new Map(
    [...output.matchAll(/^([^:,\s]+)(?::[^,\s]+)?: (\/.+)$/gm)].map(([, name = "", path = ""]) => [path, name]),
  );
}

/** Lines `package:architecture<tab>version` of `dpkg-query --show`, as package to version. */
export function parseVersions(output: string): ReadonlyMap<string, string> {
  return new Map(
    [...output.matchAll(/^([^:\t]+)(?::[^\t]+)?\t(.+)$/gm)].map(([, name = "", version = ""]) => [name, version]),
  );
}

/** What dpkg-query prints. It ends with 1 if it does not know something, and prints the rest all the same. */
async function dpkgQuery(args: readonly string[]): Promise<string> {
  try {
    return (await run("dpkg-query", [...args])).stdout;
  } catch (error) {
    const { code, stdout } = Ended.parse(error);
    if (code === 1 || code === "ENOENT") return stdout;
    throw error;
  }
}

function debianPackage(name: string, version: string): Component {
  return { type: "library", name, version, purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}` };
}

function unknownLibrary(path: string): Component {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return { type: "library", name, version: "unknown", purl: `pkg:generic/${name}` };
}
