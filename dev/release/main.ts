import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import { openHelm } from "../helm.ts";
import { type BuiltImage, buildImages } from "../image/build.ts";
import { changelogSection, disagreements, type VersionPlace } from "./versions.ts";

/**
 * `make release VERSION=1.2.3`: everything that a release has, in `build/release/VERSION`: image archives, charts, npm packages, CRDs, plain
 * manifest, notes, provenance, checksums. It publishes nothing; the last lines say with which commands that is done.
 */
const run = promisify(execFile);
const [version] = process.argv.slice(2);
if (version === undefined || !/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version)) {
  console.error("usage: make release VERSION=1.2.3");
  process.exit(2);
}

const problems = disagreements(version, await versionPlaces());
if (problems.length > 0) {
  console.error(`${problems.join("\n")}\nSet the version in these files and run \`npm run generate\`.`);
  process.exit(1);
}

const out = join(repoRoot, "build/release", version);
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const { stdout: commit } = await run("git", ["rev-parse", "HEAD"], { cwd: repoRoot });
const { stdout: changes } = await run("git", ["status", "--porcelain"], { cwd: repoRoot });
const images = await packImages();
await packCharts();
await packPackages();
for (const name of await readdir(join(repoRoot, "crds"))) await cp(join(repoRoot, "crds", name), join(out, name));
await cp(join(repoRoot, "manifests/headrace.yaml"), join(out, "headrace.yaml"));
await writeFile(
  join(out, "NOTES.md"),
  changelogSection(await readFile(join(repoRoot, "CHANGELOG.md"), "utf8"), version),
);
const files = await checksums();
await writeFile(join(out, "provenance.json"), provenance(files));
await writeFile(join(out, "SHA256SUMS"), (await checksums()).map(([name, sum]) => `${sum}  ${name}\n`).join(""));

console.log(`${out}:`);
for (const name of (await readdir(out)).toSorted()) console.log(`  ${name}`);
console.log("\nNothing was published. To publish:");
for (const { name, reference, digest } of images) console.log(`  crane push ${out}/${name} ${reference}   # ${digest}`);
console.log(`  helm push ${out}/headrace-${version}.tgz oci://ghcr.io/headrace/charts`);
console.log(`  helm push ${out}/headrace-crds-${version}.tgz oci://ghcr.io/headrace/charts`);
console.log(`  npm publish FILE   # each npm package: contract, sdk, native, worker, cli, connectors`);
if (changes !== "") console.log("\nThe work tree has changes that are in no commit: do not publish this.");

/** Every place that says the version. */
async function versionPlaces(): Promise<readonly VersionPlace[]> {
  const Named = z.looseObject({ version: z.string().optional(), workspaces: z.array(z.string()).default([]) });
  const read = async (file: string) => Named.parse(parse(await readFile(join(repoRoot, file), "utf8")));
  const listed = (await readdir(join(repoRoot, "connectors"))).map((name) => `connectors/${name}/package.json`);
  const packages = ["", "contract/", "sdk/", "native/", "runtime/", "cli/"].map((folder) => `${folder}package.json`);
  const charts = ["charts/headrace/Chart.yaml", "charts/headrace-crds/Chart.yaml"];
  const said = await Promise.all(
    [...packages, ...listed, ...charts].map(async (file) => ({ file, version: (await read(file)).version })),
  );
  const config = await readFile(join(repoRoot, "src/config.ts"), "utf8");
  const worker = /ghcr\.io\/headrace\/worker:([^"]+)/.exec(config)?.[1];
  return [...said, { file: "src/config.ts", version: worker }];
}

async function packImages(): Promise<readonly BuiltImage[]> {
  const dir = join(repoRoot, "build/images");
  const built = await buildImages(dir);
  for (const { name } of built) {
    await cp(join(dir, name), join(out, name), { recursive: true });
    await cp(join(dir, `${name}.tar`), join(out, `headrace-${name}-image.tar`));
  }
  return built;
}

async function packCharts(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "headrace-release-"));
  try {
    const helm = await openHelm({ dir });
    for (const chart of ["headrace", "headrace-crds"]) {
      await helm(["package", join(repoRoot, "charts", chart), "--destination", out]);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function packPackages(): Promise<void> {
  await run("npm", ["pack", "--workspaces", "--ignore-scripts", `--pack-destination=${out}`], { cwd: repoRoot });
}

/** The files of the release and their SHA-256, sorted; directories are image layouts, whose blobs are named by their hashes. */
async function checksums(): Promise<readonly (readonly [name: string, sum: string])[]> {
  const entries = await readdir(out, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && entry.name !== "SHA256SUMS").map(({ name }) => name);
  return Promise.all(
    names.toSorted().map(async (name) => {
      const sum = createHash("sha256").update(await readFile(join(out, name)));
      return [name, sum.digest("hex")] as const;
    }),
  );
}

/** An in-toto statement (SLSA provenance v1): what was made, of which commit, by which recipe. Unsigned. */
function provenance(made: readonly (readonly [name: string, sum: string])[]): string {
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [
      ...made.map(([name, sha256]) => ({ name, digest: { sha256 } })),
      ...images.map(({ reference, digest }) => ({
        name: reference,
        digest: { sha256: digest.slice("sha256:".length) },
      })),
    ],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "make release",
        externalParameters: { version },
        resolvedDependencies: [{ uri: "git", digest: { gitCommit: commit.trim() } }],
      },
      runDetails: { builder: { id: "make release" } },
    },
  };
  return `${JSON.stringify(statement, null, 2)}\n`;
}
