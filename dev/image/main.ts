import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { extract } from "tar";
import { repoRoot } from "../cache.ts";
import { type BuiltImage, buildImages } from "./build.ts";

/**
 * `make images`: builds the images into `build/images` and prints a table; fails if one is larger than it may be. With `--root DIR` their
 * file systems are unpacked into `DIR/<image>`, for builds that make images of their own of them.
 */
const dir = join(repoRoot, "build/images");
mkdirSync(dir, { recursive: true });
const images = await buildImages(dir);
const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
console.log(`${"image".padEnd(10)}${"beside Node and libc".padEnd(24)}${"compressed, whole".padEnd(20)}digest`);
for (const { name, ownBytes, limitBytes, compressedBytes, digest } of images) {
  const own = `${mb(ownBytes)} MB (≤ ${mb(limitBytes)})`;
  console.log(`${name.padEnd(10)}${own.padEnd(24)}${`${mb(compressedBytes)} MB`.padEnd(20)}${digest}`);
}
console.log(
  `\n${dir}/<image> is an OCI layout, <image>.tar an archive for docker load, ctr images import, kind load image-archive`,
);

const option = process.argv.indexOf("--root");
const root = option < 0 ? undefined : process.argv[option + 1];
if (root !== undefined) for (const image of images) await unpack(image, join(resolve(root), image.name));

const large = images.filter(({ ownBytes, limitBytes }) => ownBytes > limitBytes);
if (large.length > 0) {
  console.error(`too large: ${large.map(({ name }) => name).join(", ")}`);
  process.exitCode = 1;
}

async function unpack({ layers }: BuiltImage, target: string): Promise<void> {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const file of layers) await extract({ file, cwd: target });
}
