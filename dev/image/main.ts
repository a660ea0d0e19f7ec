import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import { buildImages } from "./build.ts";
import { unpackImage } from "./unpacked.ts";

/**
 * `make images`: builds the images into `build/images` and prints a table; fails if one is larger than it may be. With `--root DIR` their
 * file systems are unpacked into `DIR/<image>`, for builds that make images of their own of them. `--platforms amd64,arm64` builds for both.
 */
const Architecture = z.enum(["amd64", "arm64"], {
  error: ({ input }) => `"${String(input)}" is none of amd64, arm64`,
});
const dir = join(repoRoot, "build/images");
mkdirSync(dir, { recursive: true });
const { values } = parseArgs({ options: { root: { type: "string" }, platforms: { type: "string" } } });
const architectures = values.platforms?.split(",").map((name) => Architecture.parse(name));
const images = await buildImages(dir, architectures);
const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
console.log(`${"image".padEnd(10)}${"beside Node and libc".padEnd(24)}${"compressed, whole".padEnd(20)}digest`);
for (const { name, ownBytes, limitBytes, platforms, digest } of images) {
  const own = `${mb(ownBytes)} MB (≤ ${mb(limitBytes)})`;
  const whole = platforms.map(({ compressedBytes }) => `${mb(compressedBytes)} MB`).join(", ");
  console.log(`${name.padEnd(10)}${own.padEnd(24)}${whole.padEnd(20)}${digest}`);
  if (platforms.length > 1) for (const one of platforms) console.log(`  ${one.architecture.padEnd(52)}${one.digest}`);
}
console.log(
  `\n${dir}/<image> is an OCI layout, <image>.tar an archive for docker load, ctr images import, kind load image-archive`,
);

const { root } = values;
if (root !== undefined)
  for (const { name, platforms } of images)
    for (const platform of platforms.slice(0, 1)) await unpackImage(platform, join(resolve(root), name));

const large = images.filter(({ ownBytes, limitBytes }) => ownBytes > limitBytes);
if (large.length > 0) {
  console.error(`too large: ${large.map(({ name }) => name).join(", ")}`);
  process.exitCode = 1;
}
