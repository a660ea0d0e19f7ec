import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { list, type ReadEntry } from "tar";
import { z } from "zod";

/** What an image consists of, without times and without how it is cut into layers. */
export interface ImageContents {
  /** What runs, by its fields. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Type, mode, owner, and size and hash or target, by the path. */
  readonly files: ReadonlyMap<string, string>;
}

const Index = z.object({ manifests: z.array(z.object({ digest: z.string() })).length(1) });
const Manifest = z.object({
  config: z.object({ digest: z.string() }),
  layers: z.array(z.object({ digest: z.string() })),
});
const Config = z.object({
  config: z.object({
    User: z.string(),
    Env: z.array(z.string()),
    Entrypoint: z.array(z.string()),
    Cmd: z.array(z.string()).nullish(),
    WorkingDir: z.string(),
    Labels: z.record(z.string(), z.string()),
  }),
});

/** Reads the one image of an OCI layout. */
export async function readContents(layout: string): Promise<ImageContents> {
  const blob = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const json = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
  const [index] = Index.parse(json(join(layout, "index.json"))).manifests;
  const manifest = Manifest.parse(json(blob(index?.digest ?? "")));
  const { config } = Config.parse(json(blob(manifest.config.digest)));
  const files = new Map<string, string>();
  for (const { digest } of manifest.layers) {
    await list({
      file: blob(digest),
      onReadEntry: (entry) => {
        const path = entry.path.replace(/^\.?\//, "").replace(/\/$/, "");
        if (path === "") return entry.resume();
        if (path.includes(".wh.")) throw new Error(`${path}: layers that take files away are not read here`);
        describe(entry, (text) => files.set(path, text));
      },
    });
  }
  // Apart from the version, which Docker's file does not know.
  const { "org.opencontainers.image.version": _, "io.buildah.version": __, ...labels } = config.Labels;
  return { config: { ...config, Cmd: config.Cmd ?? [], Labels: labels }, files };
}

/** Tells what there is to know of an entry when it has been read. */
function describe(entry: ReadEntry, told: (text: string) => void): void {
  const mode = ((entry.mode ?? 0) & 0o7777).toString(8);
  const owner = `${entry.uid ?? 0}:${entry.gid ?? 0}`;
  const hash = createHash("sha256");
  let bytes = 0;
  entry.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  entry.on("end", () => {
    const isFile = entry.type === "File" || entry.type === "OldFile";
    const rest = isFile ? ` ${bytes} ${hash.digest("hex")}` : entry.linkpath ? ` -> ${entry.linkpath}` : "";
    told(`${isFile ? "File" : entry.type} ${mode} ${owner}${rest}`);
  });
}

/** What is not the same, one line each: `path: of one | of the other`, where null is nothing. */
export function differences(one: ImageContents, other: ImageContents): readonly string[] {
  const compare = (left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>) =>
    [...new Set([...left.keys(), ...right.keys()])]
      .toSorted()
      .filter((key) => left.get(key) !== right.get(key))
      .map((key) => `${key}: ${left.get(key) ?? null} | ${right.get(key) ?? null}`);
  const fields = ({ config }: ImageContents) =>
    new Map(Object.entries(config).map(([key, value]) => [`config ${key}`, JSON.stringify(sorted(value))]));
  return [...compare(fields(one), fields(other)), ...compare(one.files, other.files)];
}

/** With the keys of maps in one order. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)));
}
