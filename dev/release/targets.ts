import { z } from "zod";

/** Where a release is published; what is not named is not published. */
export interface Targets {
  /** Registry and path of the images, such as `ghcr.io/headrace`. */
  readonly images?: string | undefined;
  /** The same of the charts, without `oci://`. */
  readonly charts?: string | undefined;
  /** URL of an npm registry. */
  readonly npm?: string | undefined;
  /** Repository, as `owner/name`. */
  readonly github?: string | undefined;
}

// No user and no password in any of them: tools find these where they always do.
const RepositoryPath = z.stringFormat("registry and path", /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+$/, {
  error: "a registry and a path in it, such as ghcr.io/headrace",
});
const NpmUrl = z
  .url({ protocol: /^https?$/, error: "the URL of a registry, such as https://registry.npmjs.org" })
  .refine((url) => URL.parse(url)?.username === "" && URL.parse(url)?.password === "", {
    error: "a URL without user and password: npm finds these in .npmrc",
  });
const Repository = z.stringFormat("repository", /^[\w.-]+\/[\w.-]+$/, {
  error: "a repository, such as headrace/headrace",
});
const Given = z.strictObject({
  images: RepositoryPath.optional(),
  charts: RepositoryPath.optional(),
  npm: NpmUrl.optional(),
  github: Repository.optional(),
});

/** Reads the targets. Throws with a sentence for each that cannot be used, and if there is none. */
export function parseTargets(given: Readonly<Record<string, string | undefined>>): Targets {
  const { success, data, error } = Given.safeParse(given);
  if (!success)
    throw new Error(
      error.issues.map(({ path, message }) => `PUBLISH_${path.join("").toUpperCase()} must be ${message}`).join("\n"),
    );
  if (Object.values(data).every((target) => target === undefined))
    throw new Error("PUBLISH=1 needs a target: PUBLISH_IMAGES, PUBLISH_CHARTS, PUBLISH_NPM, PUBLISH_GITHUB");
  return data;
}

/** Whether a registry is on this machine, where no TLS is asked of it. */
export const isLocal = (target: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+)(:|\/|$)/.test(target);

/** What the repository is like. */
export interface RepositoryState {
  readonly version: string;
  /** Of HEAD. */
  readonly commit: string;
  /** What `git status --porcelain` says. */
  readonly changes: string;
  /** The commit of the version's tag; null: there is no such tag. */
  readonly tagged: string | null;
}

/** Why the repository cannot be published as it is, each as a sentence. */
export function obstacles({ version, commit, changes, tagged }: RepositoryState): readonly string[] {
  return [
    ...(changes === "" ? [] : [`the work tree has changes that are in no commit:\n${changes.trimEnd()}`]),
    ...(tagged === null || tagged === commit ? [] : [`the tag v${version} is on another commit, ${tagged}`]),
  ];
}
