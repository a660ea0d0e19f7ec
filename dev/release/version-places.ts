import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { VersionPlace } from "./versions.ts";

const VERSION = String.raw`(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)`;
const PACKAGES = "{package.json,{contract,sdk,native,runtime,cli,connectors/*}/package.json}";

/** Files that must say the version, and those that may; how it is written there. A plugin has a version of its own, for those who ask for one. */
const SAYINGS: readonly { readonly files: string; readonly says: string; readonly must: boolean }[] = [
  { files: PACKAGES, says: `^ {2}"version": "${VERSION}"`, must: true },
  { files: "charts/*/Chart.yaml", says: `^version: ${VERSION}$`, must: true },
  { files: "charts/*/Chart.yaml", says: `^appVersion: ${VERSION}$`, must: true },
  {
    files: "bundle/manifests/headrace.clusterserviceversion.yaml",
    says: `^(?: {2}name: headrace\\.v| {2}version: )${VERSION}$`,
    must: true,
  },
  { files: `{${PACKAGES},examples/*/package.json}`, says: `"@headrace/[^"]+": "\\^?${VERSION}"`, must: false },
  {
    files: "{src,charts,manifests,bundle,docs,examples}/**/*.{ts,yaml,md}",
    says: `ghcr\\.io/headrace/[a-z]+:${VERSION}`,
    must: false,
  },
  {
    files: "{docs,manifests,examples}/**/*.{yaml,md}",
    says: `(?:targetRevision: v|tag: v|ref=v|headrace-sdk-)${VERSION}`,
    must: false,
  },
];

/** Every place of the repository that says which version it is. */
export function versionPlaces(root: string): readonly VersionPlace[] {
  const said = SAYINGS.flatMap(({ files, says, must }) =>
    globSync(files, { cwd: root })
      .filter((file) => !/(^|\/)(node_modules|dist)\//.test(file))
      .toSorted()
      .flatMap((file): VersionPlace[] => {
        const versions = sayings(readFileSync(join(root, file), "utf8"), says);
        if (must && versions.length === 0) return [{ file, version: undefined }];
        return versions.map((version) => ({ file, version }));
      }),
  );
  return [...said, ...lockedVersions(root)];
}

const sayings = (text: string, says: string): readonly string[] => [
  ...new Set([...text.matchAll(new RegExp(says, "gm"))].map(([, version = ""]) => version)),
];

const Lock = z.object({
  packages: z.record(z.string(), z.looseObject({ name: z.string().optional(), version: z.string().optional() })),
});

/** Of our own packages, as the lock file has them. */
function lockedVersions(root: string): readonly VersionPlace[] {
  const { packages } = Lock.parse(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  return Object.entries(packages)
    .filter(([path]) => !path.includes("node_modules/"))
    .map(([path, { version }]) => ({ file: `package-lock.json (${path === "" ? "." : path})`, version }));
}
