import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import { buildNative } from "../setup/native.ts";
import { type Component, npmComponents, toBillOfMaterials } from "./bill-of-materials.ts";
import { debianComponents } from "./debian-components.ts";
import { file, type ImageFile } from "./file.ts";
import { gzipOnce, type ImageContent, type WrittenImage, writeImage } from "./oci-layout.ts";
import { launcherOf, RECIPES, type Recipe } from "./recipes.ts";
import { addonFiles, librariesOf, NODE_PATH, nodeFiles, USER } from "./system-files.ts";
import { APP_DIR, packagesOf, tracedFiles } from "./traced-files.ts";

const run = promisify(execFile);
const BIN_DIR = "opt/headrace/bin";

/** An image that has been built. */
export interface BuiltImage extends WrittenImage {
  readonly name: string;
  readonly reference: string;
  /** Its layout; the archive is beside it. */
  readonly dir: string;
  /** Uncompressed, without Node and libc. */
  readonly ownBytes: number;
  readonly limitBytes: number;
}

/**
 * Compiles everything and builds all images into `dir`, without a Docker daemon and without a registry. The same inputs give the same digests:
 * times are `SOURCE_DATE_EPOCH` or 1970.
 */
export async function buildImages(dir: string): Promise<readonly BuiltImage[]> {
  await buildNative();
  await run(join(repoRoot, "node_modules/.bin/tsc"), ["-b"], { cwd: repoRoot });
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(repoRoot, "package.json"), "utf8")));
  const time = new Date(Number(process.env["SOURCE_DATE_EPOCH"] ?? 0) * 1000);
  const compress = gzipOnce();
  const images: BuiltImage[] = [];
  for (const recipe of RECIPES) images.push(await buildImage(recipe, { dir, version, time, compress }));
  return images;
}

async function buildImage(
  recipe: Recipe,
  {
    dir,
    version,
    ...how
  }: {
    readonly dir: string;
    readonly version: string;
    readonly time: Date;
    readonly compress: (tar: Buffer) => Buffer;
  },
): Promise<BuiltImage> {
  const content = await contentOf(recipe, version);
  const target = join(dir, recipe.name);
  const written = writeImage(target, content, how);
  return {
    ...written,
    name: recipe.name,
    reference: content.reference,
    dir: target,
    ownBytes: await ownBytes(content),
    limitBytes: recipe.limitMb * 1e6,
  };
}

async function contentOf(recipe: Recipe, version: string): Promise<ImageContent> {
  const { name, title, description, command } = recipe;
  const app = await tracedFiles(recipe);
  const parts = await componentsOf(recipe, app);
  const inPackages = ({ path }: ImageFile) => path.startsWith(`${APP_DIR}/node_modules/`);
  return {
    reference: `ghcr.io/headrace/${name}:${version}`,
    layers: [
      { title: "Node and libc", files: await nodeFiles() },
      ...(recipe.addons.length === 0
        ? []
        : [{ title: "libraries of the native addon", files: await addonFiles(recipe.addons) }]),
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

async function componentsOf(recipe: Recipe, app: readonly ImageFile[]): Promise<readonly Component[]> {
  const packages = packagesOf(app.map(({ path }) => path.slice(APP_DIR.length + 1)));
  const node = process.versions.node;
  const libraries = await librariesOf([process.execPath, ...recipe.addons.map((path) => join(repoRoot, path))]);
  return [
    { type: "application", name: "node", version: node, purl: `pkg:generic/node@${node}`, licence: "MIT" },
    ...(await debianComponents(libraries.map(({ path }) => path))),
    ...npmComponents(packages),
  ];
}

/** Bytes of all files but Node and libc. */
async function ownBytes(content: ImageContent): Promise<number> {
  const libc = new Set(
    (await librariesOf([process.execPath])).filter(({ isLibc }) => isLibc).map(({ path }) => path.slice(1)),
  );
  return content.layers
    .flatMap(({ files }) => files)
    .filter(({ path }) => path !== NODE_PATH && !libc.has(path))
    .reduce((sum, one) => sum + (one.kind === "file" ? one.content.length : 0), 0);
}
