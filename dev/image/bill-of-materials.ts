import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { repoRoot } from "../cache.ts";

/** A part of an image. */
export interface Component {
  readonly type: "library" | "application";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licence?: string;
}

const Manifest = z.object({ name: z.string(), version: z.string(), license: z.string().optional() });

/**
 * The npm packages in the directories of the repository, and those of another architecture that are elsewhere; those without name and
 * version are parts of others.
 */
export function npmComponents(
  directories: Iterable<string>,
  elsewhere: ReadonlyMap<string, string>,
): readonly Component[] {
  const places = new Map(
    [...elsewhere].map(([name, place]) => [`node_modules/${name.replace("-x64-", "-arm64-")}`, place]),
  );
  return [...directories]
    .flatMap((directory) => {
      const place = places.get(directory) ?? join(repoRoot, directory);
      const parsed = Manifest.safeParse(readJson(join(place, "package.json")));
      return parsed.success ? [toComponent(parsed.data)] : [];
    })
    .toSorted((left, right) => (left.purl < right.purl ? -1 : 1));
}

function toComponent({ name, version, license }: z.infer<typeof Manifest>): Component {
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return { type: "library", name, version, purl, ...(license === undefined ? {} : { licence: license }) };
}

/** A CycloneDX 1.6 document. Without a serial number and a time, so that the same parts are the same bytes. */
export function toBillOfMaterials(
  image: { readonly name: string; readonly version: string },
  parts: readonly Component[],
) {
  return `${JSON.stringify(
    {
      bomFormat: "CycloneDX",
      specVersion: "1.6",
      version: 1,
      metadata: { component: { type: "container", name: image.name, version: image.version } },
      components: parts.map(({ licence, purl, ...part }) => ({
        ...part,
        "bom-ref": purl,
        purl,
        ...(licence === undefined ? {} : { licenses: [toLicence(licence)] }),
      })),
    },
    null,
    2,
  )}\n`;
}

/** An SPDX expression, or one licence of SPDX's list. */
function toLicence(text: string): object {
  return /\s/.test(text) ? { expression: text.replace(/^\((.*)\)$/, "$1") } : { license: { id: text } };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
