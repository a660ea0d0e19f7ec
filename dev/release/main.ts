import { execFile } from "node:child_process";
import { cp, glob, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import { openHelm } from "../helm.ts";
import { type BuiltImage, buildImages } from "../image/build.ts";
import { RECIPES } from "../image/recipes.ts";
import { toBundle } from "../olm/bundle.ts";
import { readBundleSources } from "../olm/sources.ts";
import type { Architecture } from "../setup/platform.ts";
import { artifactsIn, toChecksums, toSignature } from "./checksums.ts";
import { releaseInputs } from "./inputs.ts";
import { toProvenance } from "./provenance.ts";
import { inOrderOfNeed, publications } from "./publication.ts";
import { openPublisher } from "./publish.ts";
import { toPublishedLauncher } from "./published-launcher.ts";
import { obstacles, parseTargets, type Targets } from "./targets.ts";
import { versionPlaces } from "./version-places.ts";
import { changelogSection, disagreements } from "./versions.ts";

/**
 * `make release VERSION=1.2.3`: everything that a release has, in `build/release/VERSION`: images for both architectures, charts, npm packages,
 * CRDs, plain manifest, bundle for OLM, notes, provenance, checksums, signed if there is a key. It publishes nothing, and its last lines say with
 * which commands that is done; with `PUBLISH=1` and targets it does it, of a commit that has everything, if no target has the version yet.
 */
const run = promisify(execFile);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string" },
    platforms: { type: "string", default: "amd64,arm64" },
    "signing-key": { type: "string" },
    publish: { type: "boolean", default: false },
    images: { type: "string" },
    charts: { type: "string" },
    npm: { type: "string" },
    github: { type: "string" },
  },
});
const [version] = positionals;
if (version === undefined || !/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version)) {
  console.error("usage: make release VERSION=1.2.3 [PLATFORMS=amd64,arm64] [SIGNING_KEY=key.pem]");
  console.error(
    "                    [PUBLISH=1 PUBLISH_IMAGES=ghcr.io/headrace PUBLISH_CHARTS=ghcr.io/headrace/charts",
  );
  console.error("                     PUBLISH_NPM=https://registry.npmjs.org PUBLISH_GITHUB=headrace/headrace]");
  process.exit(2);
}

const problems = disagreements(version, versionPlaces(repoRoot));
if (problems.length > 0) {
  console.error(`${problems.join("\n")}\nSet the version in these files and run \`npm run generate\`.`);
  process.exit(1);
}

const IMAGES = RECIPES.map(({ name }) => name);
const CHARTS = ["headrace-crds", "headrace"];
const { stdout: commit } = await run("git", ["rev-parse", "HEAD"], { cwd: repoRoot });
const { stdout: changes } = await run("git", ["status", "--porcelain"], { cwd: repoRoot });
const targets = values.publish ? await checkedTargets(version) : null;
const packages = await publicPackages();
const publisher = targets === null ? null : await openPublisher({ print: console.log });
const planned = (files: readonly string[], to: Targets) =>
  publications(
    {
      version,
      commit: commit.trim(),
      out,
      images: IMAGES,
      charts: CHARTS,
      packages: inOrderOfNeed(new Map(packages.map(({ name, needs }) => [name, needs]))),
      files,
    },
    to,
  );

const out = values.out === undefined ? join(repoRoot, "build/release", version) : resolve(values.out);
// Before anything is built.
if (publisher !== null && targets !== null) await orEnd(publisher.refuseExisting(planned([], targets)));
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const architectures = values.platforms.split(",").map(toArchitecture);
const images = await packImages();
await packCharts();
await packPackages();
for (const name of await readdir(join(repoRoot, "crds"))) await cp(join(repoRoot, "crds", name), join(out, name));
await cp(join(repoRoot, "manifests/headrace.yaml"), join(out, "headrace.yaml"));
await writeFile(
  join(out, "NOTES.md"),
  changelogSection(await readFile(join(repoRoot, "CHANGELOG.md"), "utf8"), version),
);
await packBundle();
await writeProvenance(version);
const sums = toChecksums(await artifactsIn(out));
await writeFile(join(out, "SHA256SUMS"), sums);
const signingKey = values["signing-key"];
if (signingKey !== undefined) {
  await writeFile(join(out, "SHA256SUMS.sig"), toSignature(sums, await readFile(resolve(signingKey), "utf8")));
}

console.log(`${out}:`);
for (const name of (await readdir(out)).toSorted()) console.log(`  ${name}`);
if (publisher !== null && targets !== null) {
  const files = (await readdir(out, { withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);
  await orEnd(publisher.publish(planned(files.filter((name) => name !== "NOTES.md").toSorted(), targets)));
  console.log("\nThe bundle for OLM is published by hand:");
} else {
  console.log("\nNothing was published. With PUBLISH=1 and its targets this is done; by hand:");
  for (const { name, reference, digest } of images)
    console.log(`  crane push ${out}/${name} ${reference}   # ${digest}`);
  for (const name of CHARTS) console.log(`  helm push ${out}/${name}-${version}.tgz oci://ghcr.io/headrace/charts`);
  console.log(`  npm publish FILE   # each npm package: contract, sdk, cli, connectors`);
}
console.log(`  docker build -f ${out}/bundle/bundle.Dockerfile -t ghcr.io/headrace/bundle:${version} ${out}/bundle`);
if (changes !== "") console.log("\nThe work tree has changes that are in no commit: do not publish this.");

/** The targets, if the repository is fit to be published. */
async function checkedTargets(wanted: string): Promise<Targets> {
  const { stdout: tag } = await run("git", ["rev-list", "-n1", `refs/tags/v${wanted}`], { cwd: repoRoot }).catch(
    () => ({
      stdout: "",
    }),
  );
  const state = { version: wanted, commit: commit.trim(), changes, tagged: tag.trim() === "" ? null : tag.trim() };
  const reasons = obstacles(state);
  if (reasons.length > 0) return end(`nothing is published: ${reasons.join("\n")}`);
  const { images: toImages, charts, npm, github } = values;
  try {
    return parseTargets({ images: toImages, charts, npm, github });
  } catch (error) {
    return end(error instanceof Error ? error.message : String(error));
  }
}

async function orEnd(done: Promise<void>): Promise<void> {
  await done.catch((error: unknown) => end(error instanceof Error ? error.message : String(error)));
}

function end(message: string): never {
  console.error(message);
  process.exit(1);
}

async function packImages(): Promise<readonly BuiltImage[]> {
  const dir = join(repoRoot, "build/images");
  const built = await buildImages(dir, architectures);
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
    for (const chart of CHARTS) {
      await helm(["package", join(repoRoot, "charts", chart), "--destination", out]);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

interface PublicPackage {
  readonly name: string;
  readonly folder: string;
  readonly bin: Readonly<Record<string, string>>;
  /** Names of other packages. */
  readonly needs: readonly string[];
}

/** Those that are for others. Worker and addon are private: they are in the image, since the addon is built for one platform. */
async function publicPackages(): Promise<readonly PublicPackage[]> {
  const Versions = z.record(z.string(), z.string()).default({});
  const Manifest = z.object({
    name: z.string(),
    private: z.boolean().default(false),
    bin: z.record(z.string(), z.string()).default({}),
    dependencies: Versions,
    peerDependencies: Versions,
  });
  const { workspaces } = z
    .object({ workspaces: z.array(z.string()) })
    .parse(JSON.parse(await readFile(join(repoRoot, "package.json"), "utf8")));
  const found: PublicPackage[] = [];
  for await (const folder of glob(workspaces, { cwd: repoRoot })) {
    const manifest = Manifest.parse(JSON.parse(await readFile(join(repoRoot, folder, "package.json"), "utf8")));
    const { name, bin, dependencies, peerDependencies } = manifest;
    if (!manifest.private)
      found.push({ name, folder, bin, needs: Object.keys({ ...dependencies, ...peerDependencies }) });
  }
  return found;
}

async function packPackages(): Promise<void> {
  const pack = ["pack", "--ignore-scripts", `--pack-destination=${out}`];
  const plain: string[] = [];
  const dir = await mkdtemp(join(tmpdir(), "headrace-release-"));
  try {
    for (const { folder, bin } of packages) {
      if (Object.keys(bin).length === 0) {
        plain.push(folder);
        continue;
      }
      const staged = join(dir, folder);
      await mkdir(staged, { recursive: true });
      for (const part of ["package.json", "bin", "dist"])
        await cp(join(repoRoot, folder, part), join(staged, part), { recursive: true });
      for (const path of new Set(Object.values(bin)))
        await writeFile(join(staged, path), toPublishedLauncher(await readFile(join(staged, path), "utf8")));
      await run("npm", pack, { cwd: staged });
    }
    await run("npm", [...pack, ...plain.map((folder) => `--workspace=${folder}`)], { cwd: repoRoot });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function toArchitecture(name: string): Architecture {
  if (name === "amd64" || name === "arm64") return name;
  throw new Error(`"${name}" is none of amd64, arm64`);
}

/** With the images by their digests. */
async function packBundle(): Promise<void> {
  const digestOf = (wanted: string) => {
    const image = images.find(({ name }) => name === wanted);
    if (image === undefined) throw new Error(`no image ${wanted} was built`);
    return `${image.reference.replace(/:[^:/]+$/, "")}@${image.digest}`;
  };
  const sources = readBundleSources({ operator: digestOf("operator"), worker: digestOf("worker") });
  const architectures = images[0]?.platforms.map(({ architecture }) => architecture) ?? [];
  for (const [path, text] of toBundle({ ...sources, architectures })) {
    const file = join(out, "bundle", path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

async function writeProvenance(released: string): Promise<void> {
  const statement = toProvenance({
    version: released,
    commit: commit.trim(),
    architectures,
    inputs: await releaseInputs(repoRoot, architectures),
    made: [
      ...(await artifactsIn(out)),
      ...images.map(({ reference, digest }) => ({ name: reference, sha256: digest.slice("sha256:".length) })),
    ],
  });
  await writeFile(join(out, "provenance.json"), statement);
}
