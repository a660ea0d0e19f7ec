import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { completed, type ImageFile } from "./file.ts";
import { toTar } from "./tar.ts";

/** What an image is, without how it is stored. */
export interface ImageContent {
  /** Name and tag by which it is known when it is loaded, such as `ghcr.io/headrace/operator:0.1.0`. */
  readonly reference: string;
  /** Of what changes rarest to what changes most often. */
  readonly layers: readonly { readonly title: string; readonly files: readonly ImageFile[] }[];
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** An image that has been written. */
export interface WrittenImage {
  /** Digest of the manifest, `sha256:…`: what registries and clusters know the image by. */
  readonly digest: string;
  /** Paths of the layers' compressed tar archives, the lowest first. */
  readonly layers: readonly string[];
  /** Bytes that are transferred. */
  readonly compressedBytes: number;
}

/** Compresses layers; one that several images have, once. */
export function gzipOnce(): (tar: Buffer) => Buffer {
  const done = new Map<string, Buffer>();
  return (tar) => {
    const digest = digestOf(tar);
    const known = done.get(digest) ?? gzipSync(tar, { level: 6 });
    done.set(digest, known);
    return known;
  };
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const TYPES = {
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  config: "application/vnd.oci.image.config.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
} as const;

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * Writes the image into `dir` as an OCI image layout (image-spec 1.1), and as one archive `${dir}.tar` that `docker load`, `ctr images import`
 * and `kind load image-archive` take. What is there is replaced. The same content and time give the same digest.
 */
export function writeImage(
  dir: string,
  content: ImageContent,
  { time, compress = gzipOnce() }: { readonly time: Date; readonly compress?: (tar: Buffer) => Buffer },
): WrittenImage {
  const blobs = new Map<string, Buffer>();
  const store = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const layers = content.layers.map(({ title, files }) => {
    const tar = toTar(completed(files), time);
    return { title, diffId: digestOf(tar), descriptor: store(TYPES.layer, compress(tar)) };
  });
  const config = store(TYPES.config, toJson(toConfig(content, layers, time)));
  const manifest = store(
    TYPES.manifest,
    toJson({
      schemaVersion: 2,
      mediaType: TYPES.manifest,
      config,
      layers: layers.map(({ descriptor }) => descriptor),
      annotations: content.labels,
    }),
  );
  const [, tag = "latest"] = /:([^:/]+)$/.exec(content.reference) ?? [];
  const index = {
    schemaVersion: 2,
    mediaType: TYPES.index,
    manifests: [
      {
        ...manifest,
        platform: { architecture: architecture(), os: "linux" },
        annotations: { "io.containerd.image.name": content.reference, "org.opencontainers.image.ref.name": tag },
      },
    ],
  };
  const files = new Map([
    ["oci-layout", toJson({ imageLayoutVersion: "1.0.0" })],
    ["index.json", toJson(index)],
    ...[...blobs].map(([digest, bytes]): [string, Buffer] => [`blobs/${digest.replace(":", "/")}`, bytes]),
  ]);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, "blobs/sha256"), { recursive: true });
  for (const [path, bytes] of files) writeFileSync(join(dir, path), bytes);
  const entries = [...files].map(
    ([path, bytes]): ImageFile => ({ kind: "file", path, content: bytes, executable: false }),
  );
  writeFileSync(`${dir}.tar`, toTar(completed(entries), time));
  const compressedBytes = [...blobs.values()].reduce((sum, { length }) => sum + length, 0);
  const paths = layers.map(({ descriptor }) => join(dir, "blobs", descriptor.digest.replace(":", "/")));
  return { digest: manifest.digest, layers: paths, compressedBytes };
}

function toConfig(
  content: ImageContent,
  layers: readonly { readonly title: string; readonly diffId: string }[],
  time: Date,
): object {
  const created = time.toISOString();
  return {
    created,
    architecture: architecture(),
    os: "linux",
    config: {
      User: content.user,
      Env: Object.entries(content.env).map(([name, value]) => `${name}=${value}`),
      Entrypoint: content.entrypoint,
      WorkingDir: content.workingDir,
      Labels: content.labels,
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ title }) => ({ created, created_by: title })),
  };
}

/** The machine's own, as images name it: native parts are built where the image is. */
function architecture(): string {
  const name = ARCHITECTURES[process.arch];
  if (name === undefined) throw new Error(`no image for the architecture ${process.arch}`);
  return name;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function toJson(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
