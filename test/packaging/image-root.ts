import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { extract } from "tar";
import { z } from "zod";
import type { Program } from "./released-operator.ts";

const Index = z.object({ manifests: z.array(z.object({ digest: z.string(), size: z.number() })).length(1) });
const Manifest = z.object({
  config: z.object({ digest: z.string(), size: z.number() }),
  layers: z.array(z.object({ digest: z.string(), size: z.number() })).min(1),
});
const Config = z.object({
  architecture: z.string(),
  config: z.object({
    User: z.string(),
    Env: z.array(z.string()),
    Entrypoint: z.array(z.string()).min(1),
    Labels: z.record(z.string(), z.string()),
  }),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});

/** An OCI image layout that has been read. */
export interface ReadImage {
  readonly config: z.infer<typeof Config>;
  readonly layers: readonly { readonly digest: string; readonly file: string }[];
}

/** Reads the one image of a layout. */
export async function readImage(layout: string): Promise<ReadImage> {
  const blob = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, "utf8"));
  const [index] = Index.parse(await json(join(layout, "index.json"))).manifests;
  const manifest = Manifest.parse(await json(blob(index?.digest ?? "")));
  return {
    config: Config.parse(await json(blob(manifest.config.digest))),
    layers: manifest.layers.map(({ digest }) => ({ digest, file: blob(digest) })),
  };
}

/** Unpacks the layers, one over the other, as a container runtime does. */
export async function unpack(image: ReadImage, root: string): Promise<void> {
  for (const directory of ["dev", "proc", "data"]) await mkdir(join(root, directory), { recursive: true });
  for (const { file } of image.layers) await extract({ file, cwd: root, preservePaths: false });
}

/** The user of OpenShift's restricted-v2: one that the image does not know, in group 0. */
export const FOREIGN_UID = 1_000_660_000;

/**
 * Runs the image's entry point in its unpacked file system, which is read-only but for /tmp and `data`, seen as /data; as a foreign user when
 * we are root, who may choose, otherwise as the only user of a namespace of our own.
 */
export function inImage(image: ReadImage, root: string, data: string, args: readonly string[] = []): Program {
  const mayChoose = process.getuid?.() === 0;
  const script = [
    "set -e",
    "root=$1; data=$2; shift 2",
    'mount --bind "$root" "$root"',
    'mount --rbind /dev "$root/dev"',
    'mount --rbind /proc "$root/proc"',
    'mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"',
    'mount --bind "$data" "$root/data"',
    'mount -o remount,bind,ro "$root"',
    `exec chroot ${mayChoose ? `--userspec=${FOREIGN_UID}:0 ` : ""}"$root" "$@"`,
  ].join("\n");
  return {
    command: "unshare",
    args: [
      ...(mayChoose ? [] : ["--user", "--map-root-user"]),
      "--mount",
      "sh",
      "-c",
      script,
      "sh",
      root,
      data,
      ...image.config.config.Entrypoint,
      ...args,
    ],
  };
}

/** The environment that the image sets, and nothing else of ours. */
export function environmentOf(image: ReadImage): Record<string, string | undefined> {
  const ours = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]));
  const its = image.config.config.Env.map((line) => {
    const at = line.indexOf("=");
    return [line.slice(0, at), line.slice(at + 1)];
  });
  // The tools that make the container are found by it; the image's own directories come first.
  const { PATH = "", ...rest } = Object.fromEntries(its);
  return { ...ours, ...rest, PATH: `${PATH}:/usr/sbin:/usr/bin:/sbin:/bin` };
}
