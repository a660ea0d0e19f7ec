import { execFile } from "node:child_process";
import { globSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { platformOf } from "../image/build.ts";
import { debianOwners } from "../image/debian-components.ts";
import { RECIPES } from "../image/recipes.ts";
import { addonsOf, CERTIFICATES, librariesOf } from "../image/system-files.ts";
import { linkedArchives } from "../setup/librdkafka.ts";
import type { Architecture, Platform } from "../setup/platform.ts";
import { sha256Of } from "./checksums.ts";

const run = promisify(execFile);

/** Something that a release is made of, as in-toto's ResourceDescriptor names it. */
export interface Input {
  /** Path of a file: in the repository, or where the machine that builds has it. */
  readonly name?: string;
  /** Package URL. */
  readonly uri?: string;
  /** By the algorithm's name, in hexadecimal. */
  readonly digest: Readonly<Record<string, string>>;
}

/** Files of the repository that fix what is fetched: npm's lock, and the sums of the Go modules that tools are built of. */
export async function lockInputs(root: string): Promise<readonly Input[]> {
  const names = ["package-lock.json", ...globSync("dev/*/go.sum", { cwd: root }).toSorted()];
  return await Promise.all(names.map(async (name) => ({ name, digest: { sha256: await sha256Of(join(root, name)) } })));
}

const Lock = z.object({
  packages: z.record(z.string(), z.looseObject({ version: z.string().optional(), integrity: z.string().optional() })),
});

/** The npm packages that a lock file fixes, among them Node and, in node-rdkafka's, the sources of librdkafka. */
export function npmInputs(lock: unknown): readonly Input[] {
  const inputs = Object.entries(Lock.parse(lock).packages).flatMap(([path, { version, integrity }]): Input[] => {
    const name = path.split("node_modules/").at(-1);
    const [algorithm, hash] = integrity?.split(/-(.*)/s) ?? [];
    if (name === undefined || version === undefined || algorithm === undefined || hash === undefined) return [];
    const uri = `pkg:npm/${name.replace("@", "%40")}@${version}`;
    return [{ uri, digest: { [algorithm]: Buffer.from(hash, "base64").toString("hex") } }];
  });
  return [...new Map(inputs.map((input) => [input.uri, input])).values()].toSorted((left, right) =>
    (left.uri ?? "") < (right.uri ?? "") ? -1 : 1,
  );
}

/**
 * What images take from the machine that builds them, with the packages it is of: Node, shared libraries, the archives that are linked into the
 * addon, certificates, and the compilers.
 */
export async function systemInputs(architectures: readonly Architecture[]): Promise<readonly Input[]> {
  const inputs: Input[] = [];
  for (const architecture of architectures) {
    const platform = await platformOf(architecture);
    const addons = RECIPES.flatMap((recipe) => recipe.addons);
    const libraries = await librariesOf([platform.node, ...addonsOf(addons, platform)], platform);
    inputs.push(
      await nodeInput(platform),
      ...(await filesOf([...libraries.map(({ path }) => path), ...(await linkedArchives(platform))], platform)),
    );
    inputs.push(...(await filesOf(await compilers(platform), { ...platform, sysroot: "" })));
  }
  inputs.push(...(await filesOf([`/${CERTIFICATES}`], { sysroot: "", architecture: "amd64" })));
  return [...new Map(inputs.map((input) => [`${input.name} ${input.uri}`, input])).values()];
}

async function nodeInput({ node, architecture }: Platform): Promise<Input> {
  const version = process.versions.node;
  return {
    name: "bin/node",
    uri: `pkg:generic/node@${version}?arch=${architecture}`,
    digest: { sha256: await sha256Of(node) },
  };
}

/** Files by their paths below the platform's root. */
async function filesOf(
  paths: readonly string[],
  { sysroot, architecture }: Pick<Platform, "sysroot" | "architecture">,
): Promise<readonly Input[]> {
  const names = [...new Set(paths)].toSorted();
  const owners = await debianOwners(names, { sysroot });
  return await Promise.all(
    names.map(async (name) => ({
      name,
      uri: `${owners.get(name)?.purl}?arch=${architecture}`,
      digest: { sha256: await sha256Of(realpathSync(`${sysroot}${name}`)) },
    })),
  );
}

/** The programs behind the names, as packages have them. */
async function compilers({ cc: [c], cxx: [cxx] }: Platform): Promise<readonly string[]> {
  const found = await Promise.all([c, cxx].map((name) => run("sh", ["-c", `command -v ${name}`])));
  return found.map(({ stdout }) => realpathSync(stdout.trim()));
}

/** All of it. */
export async function releaseInputs(root: string, architectures: readonly Architecture[]): Promise<readonly Input[]> {
  const lock: unknown = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return [...(await lockInputs(root)), ...npmInputs(lock), ...(await systemInputs(architectures))];
}
