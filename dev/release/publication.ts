import { join } from "node:path";
import { isLocal, type Targets } from "./targets.ts";

/** A command of another program. Credentials are never among its arguments. */
export interface Command {
  readonly program: "crane" | "helm" | "npm" | "gh";
  readonly args: readonly string[];
}

/** Something that is published as a whole. */
export interface Publication {
  /** For people. */
  readonly what: string;
  /** Succeeds if it is there already. */
  readonly look: Command;
  /** What `look` says if it is not there. Anything else is an error. */
  readonly absent: RegExp;
  readonly publish: Command;
}

/** What there is to publish. */
export interface ReleaseFiles {
  readonly version: string;
  readonly commit: string;
  /** The folder of the release. */
  readonly out: string;
  /** Names of the images, whose layouts are in `out`. */
  readonly images: readonly string[];
  /** Names of the charts. */
  readonly charts: readonly string[];
  /** Names of npm packages, in the order in which they need each other. */
  readonly packages: readonly string[];
  /** Files for the release's page, in `out`. */
  readonly files: readonly string[];
}

const NO_MANIFEST = /MANIFEST_UNKNOWN|NAME_UNKNOWN|404/;

/** What is published where, in order: what others refer to comes first, the release's page last. */
export function publications(release: ReleaseFiles, targets: Targets): readonly Publication[] {
  const { version, commit, out } = release;
  const { images, charts, npm, github } = targets;
  const list: Publication[] = [];
  if (images !== undefined)
    for (const name of release.images) {
      const reference = `${images}/${name}:${version}`;
      list.push({
        what: `image ${reference}`,
        look: { program: "crane", args: ["digest", reference] },
        absent: NO_MANIFEST,
        publish: { program: "crane", args: ["push", join(out, name), reference] },
      });
    }
  if (charts !== undefined)
    for (const name of release.charts)
      list.push({
        what: `chart oci://${charts}/${name} ${version}`,
        look: { program: "crane", args: ["digest", `${charts}/${name}:${version}`] },
        absent: NO_MANIFEST,
        publish: {
          program: "helm",
          args: [
            "push",
            join(out, `${name}-${version}.tgz`),
            `oci://${charts}`,
            ...(isLocal(charts) ? ["--plain-http"] : []),
          ],
        },
      });
  if (npm !== undefined)
    for (const name of release.packages)
      list.push({
        what: `npm package ${name}@${version}`,
        look: { program: "npm", args: ["view", `${name}@${version}`, "version", `--registry=${npm}`] },
        absent: /E404/,
        publish: {
          program: "npm",
          args: [
            "publish",
            join(out, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`),
            "--access=public",
            `--registry=${npm}`,
            ...(version.includes("-") ? ["--tag=next"] : []),
          ],
        },
      });
  if (github !== undefined)
    list.push({
      what: `release v${version} of ${github}`,
      look: { program: "gh", args: ["release", "view", `v${version}`, `--repo=${github}`] },
      absent: /release not found/,
      publish: {
        program: "gh",
        args: [
          "release",
          "create",
          `v${version}`,
          `--repo=${github}`,
          `--target=${commit}`,
          `--title=v${version}`,
          `--notes-file=${join(out, "NOTES.md")}`,
          ...(version.includes("-") ? ["--prerelease"] : []),
          ...release.files.map((file) => join(out, file)),
        ],
      },
    });
  return list;
}

/** npm packages by name, so that each comes after those of them that it needs. */
export function inOrderOfNeed(needs: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const ordered: string[] = [];
  const add = (name: string): void => {
    if (ordered.includes(name)) return;
    for (const needed of needs.get(name) ?? []) if (needed !== name && needs.has(needed)) add(needed);
    ordered.push(name);
  };
  for (const name of [...needs.keys()].toSorted()) add(name);
  return ordered;
}
