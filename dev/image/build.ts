import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import { arm64Platform } from "../setup/arm64.ts";
import { linkedArchives } from "../setup/librdkafka.ts";
import { buildNative } from "../setup/native.ts";
import { type Architecture, hostPlatform, type Platform } from "../setup/platform.ts";
import { type Component, npmComponents, toBillOfMaterials } from "./bill-of-materials.ts";
import { gzipOnce } from "./compression.ts";
import { debianComponents } from "./debian-components.ts";
import { file, type ImageFile } from "./file.ts";
import { type ImageContent, type WrittenImage, writeImage } from "./oci-layout.ts";
import { launcherOf, RECIPES, type Recipe } from "./recipes.ts";
import { addonFiles, addonsOf, librariesOf, NODE_PATH, nodeFiles, USER } from "./system-files.ts";
import { APP_DIR, packagesOf, tracedFiles } from "./traced-files.ts";

const run = promisify(execFile);
const BIN_DIR = "opt/headrace/bin";

/** An image that has been built. */
export interface BuiltImage extends WrittenImage {
  readonly name: string;
  readonly reference: string;
  /** Its layout; the archive is beside it. */
  readonly dir: string;
  /** Uncompressed, without Node and libc, of the largest architecture. */
  readonly ownBytes: number;
  readonly limitBytes: number;
}

/** What images are built with. */
interface Workshop {
  readonly dir: string;
  readonly version: string;
  readonly platforms: readonly Platform[];
  readonly time: Date;
  readonly compress: (tar: Buffer) => Buffer;
}

/**
 * Compiles everything and builds all images into `dir`, without a Docker daemon and without a registry. The same inputs give the same digests:
 * times are `SOURCE_DATE_EPOCH` or 1970. For this machine's architecture, or for those that are named, then with an image index.
 */
export async function buildImages(
  dir: string,
  architectures: readonly Architecture[] = [hostPlatform().architecture],
): Promise<readonly BuiltImage[]> {
  const platforms: Platform[] = [];
  for (const architecture of architectures) platforms.push(await platformOf(architecture));
  for (const platform of platforms) await buildNative("release", platform);
  await run(join(repoRoot, "node_modules/.bin/tsc"), ["-b"], { cwd: repoRoot });
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(repoRoot, "package.json"), "utf8")));
  const time = new Date(Number(process.env["SOURCE_DATE_EPOCH"] ?? 0) * 1000);
  const workshop = { dir, version, platforms, time, compress: gzipOnce() };
  const images: BuiltImage[] = [];
  for (const recipe of RECIPES) images.push(await buildImage(recipe, workshop));
  return images;
}

/** What images for an architecture are built with on this machine. Throws if they cannot be. */
export function platformOf(architecture: Architecture): Promise<Platform> {
  const host = hostPlatform();
  if (architecture === host.architecture) return Promise.resolve(host);
  if (architecture === "arm64") return arm64Platform();
  throw new Error(`an image for ${architecture} cannot be made on ${host.architecture}: build it on such a machine`);
}

async function buildImage(recipe: Recipe, { dir, version, platforms, ...how }: Workshop): Promise<BuiltImage> {
  const bundled = await recipe.bundle();
  const contents: ImageContent[] = [];
  const sizes: number[] = [];
  for (const platform of platforms) {
    const content = await contentOf({ recipe, bundled, version, platform });
    contents.push(content);
    sizes.push(await ownBytes(content, platform));
  }
  const [first, ...others] = contents;
  if (first === undefined) throw new Error("an image needs an architecture");
  const target = join(dir, recipe.name);
  return {
    ...writeImage(target, [first, ...others], how),
    name: recipe.name,
    reference: first.reference,
    dir: target,
    ownBytes: Math.max(...sizes),
    limitBytes: recipe.limitMb * 1e6,
  };
}

/** An image for one architecture. */
interface Edition {
  readonly recipe: Recipe;
  readonly bundled: readonly string[];
  readonly version: string;
  readonly platform: Platform;
}

async function contentOf({ recipe, bundled, version, platform }: Edition): Promise<ImageContent> {
  const { name, title, description, command } = recipe;
  const app = await tracedFiles({ ...recipe, bundled }, platform);
  const parts = await componentsOf(recipe, app, platform);
  const inPackages = ({ path }: ImageFile) => path.startsWith(`${APP_DIR}/node_modules/`);
  return {
    architecture: platform.architecture,
    reference: `ghcr.io/headrace/${name}:${version}`,
    layers: [
      { title: "Node and libc", files: await nodeFiles(platform) },
      ...(recipe.addons.length === 0
        ? []
        : [{ title: "libraries of the native addon", files: await addonFiles(recipe.addons, platform) }]),
      { title: "npm packages", files: app.filter(inPackages) },
      {
        title: "Headrace",
        files: [
          ...app.filter((one) => !inPackages(one)),
          file(`${BIN_DIR}/${command}`, launcherOf(recipe, APP_DIR), true),
          file(
            `usr/share/sbom/headrace-${name}.cdx.json`,
            toBillOfMaterials({ name: `headrace-${name}`, version }, parts),
          ),
        ],
      },
    ],
    user: USER,
    env: { PATH: `/${BIN_DIR}:/usr/local/bin`, NODE_ENV: "production", HOME: "/tmp" },
    entrypoint: [`/${BIN_DIR}/${command}`],
    workingDir: "/tmp",
    labels: {
      "org.opencontainers.image.title": title,
      "org.opencontainers.image.description": description,
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.licenses": "Apache-2.0",
    },
  };
}

async function componentsOf(
  recipe: Recipe,
  app: readonly ImageFile[],
  platform: Platform,
): Promise<readonly Component[]> {
  const packages = packagesOf(app.map(({ path }) => path.slice(APP_DIR.length + 1)));
  const node = process.versions.node;
  const libraries = await librariesOf([platform.node, ...addonsOf(recipe.addons, platform)], platform);
  const archives = recipe.addons.length === 0 ? [] : await linkedArchives(platform);
  return [
    { type: "application", name: "node", version: node, purl: `pkg:generic/node@${node}`, licence: "MIT" },
    ...(await debianComponents([...libraries.map(({ path }) => path), ...archives], platform)),
    ...npmComponents(packages, platform.packages),
  ];
}

/** Bytes of all files but Node and libc. */
async function ownBytes(content: ImageContent, platform: Platform): Promise<number> {
  const libraries = await librariesOf([platform.node], platform);
  const libc = new Set(libraries.filter(({ isLibc }) => isLibc).map(({ path }) => path.slice(1)));
  return content.layers
    .flatMap(({ files }) => files)
    .filter(({ path }) => path !== NODE_PATH && !libc.has(path))
    .reduce((sum, one) => sum + (one.kind === "file" ? one.content.length : 0), 0);
}
