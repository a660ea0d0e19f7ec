import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { cacheDir } from "../cache.ts";
import { expand } from "./expansion.ts";
import type { Mount } from "./mount-paths.ts";

/** What stands for an image on this machine. */
export interface LocalImage {
  /** Directory where containers of the image run unless they set `workingDir`. */
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  /** Paths of the image, and what of its directory stands for them. */
  readonly mounts: readonly Mount[];
}

const schema = z.record(
  z.string(),
  z.strictObject({
    path: z.string().describe("The image's directory, relative to the file."),
    env: z
      .record(z.string(), z.string())
      .default({})
      .describe("`$(path)` stands for the directory, `$(PATH)` for this machine's PATH, `$(cache)` for the cache."),
    paths: z
      .record(z.string().startsWith("/"), z.string())
      .default({})
      .describe(
        "Absolute paths that commands and configurations may name, and what stands for each in the image's directory.",
      ),
  }),
);

/** Reads a file like `dev/images.json`: image name → directory and environment. `hostPath` is this machine's `PATH`. */
export function readImages(file: string, hostPath: string): ReadonlyMap<string, LocalImage> {
  const images = schema.parse(JSON.parse(readFileSync(file, "utf8")));
  return new Map(
    Object.entries(images).map(([name, image]) => {
      const path = resolve(dirname(file), image.path);
      const variables = { path, PATH: hostPath, cache: cacheDir() };
      const env = Object.fromEntries(Object.entries(image.env).map(([key, value]) => [key, expand(value, variables)]));
      const mounts = Object.entries(image.paths).map(([mountPath, own]) => ({ mountPath, hostPath: join(path, own) }));
      return [name, { path, env: { PATH: hostPath, ...env }, mounts }];
    }),
  );
}
