import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import type { BundleSources } from "./bundle.ts";

/** Reads what a bundle is made of; without images by digest, those that the version's tag names. */
export function readBundleSources(images?: BundleSources["images"]): BundleSources {
  const read = (path: string) => readFileSync(join(repoRoot, path), "utf8");
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(read("package.json")));
  const tagged = (name: string) => `ghcr.io/headrace/${name}:${version}`;
  return {
    version,
    manifest: read("manifests/headrace.yaml"),
    rights: read("dev/manifests/operator-rbac.yaml"),
    crds: new Map(readdirSync(join(repoRoot, "crds")).map((name) => [name, read(`crds/${name}`)])),
    example: read("examples/minimal.yaml"),
    icon: read("dev/olm/icon.svg"),
    images: images ?? { operator: tagged("operator"), worker: tagged("worker") },
    architectures: ["amd64", "arm64"],
  };
}
