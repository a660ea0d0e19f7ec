import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repoRoot } from "../cache.ts";
import { file } from "../image/file.ts";
import { writeImage } from "../image/oci-layout.ts";
import { hostPlatform } from "../setup/platform.ts";

/** An image that has nothing but a plugin: the source `beats`. */
export interface PluginImage {
  /** For `ctr images import` and the like. */
  readonly archive: string;
  /** Name and tag that the archive gives it. */
  readonly reference: string;
  /** Name and digest: nobody can put another content in its place. */
  readonly pinned: string;
}

const NAME = "headrace.dev/e2e/beats";
const FILES = ["package.json", "plugin.js"] as const;

/** Makes the image of plain files, as a layout in `dir` with an archive beside it. */
export function writePluginImage(dir: string): PluginImage {
  const reference = `${NAME}:1.0.0`;
  const files = FILES.map((name) => file(name, readFileSync(join(repoRoot, "dev/e2e/plugin", name))));
  mkdirSync(dirname(dir), { recursive: true });
  const content = {
    architecture: hostPlatform().architecture,
    reference,
    layers: [{ title: "beats", files }],
    user: "65535:65535",
    env: {},
    entrypoint: [],
    workingDir: "/",
    labels: {},
  };
  const { digest } = writeImage(dir, [content], { time: new Date(0) });
  return { archive: `${dir}.tar`, reference, pinned: `${NAME}@${digest}` };
}

if (import.meta.main) {
  const { archive, reference } = writePluginImage(join(repoRoot, "build/images/beats"));
  console.log(`${archive}: ${reference}`);
}
