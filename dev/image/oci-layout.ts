import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "../setup/platform.ts";
import { gzipOnce } from "./compression.ts";
import { completed, type ImageFile } from "./file.ts";
import { toTar } from "./tar.ts";

/** What an image is, without how it is stored. */
export interface ImageContent {
  readonly architecture: Architecture;
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

/** The part of an image that is for one architecture. */
export interface WrittenPlatform {
  readonly architecture: Architecture;
  /** Digest of its manifest. */
  readonly digest: string;
  /** Paths of the layers' compressed tar archives, the lowest first. */
  readonly layers: readonly string[];
  /** Bytes that are transferred. */
  readonly compressedBytes: number;
}

/** An image that has been written. */
export interface WrittenImage {
  /** `sha256:…`: what registries and clusters know the image by. Of its manifest, or of the index of several. */
  readonly digest: string;
  readonly platforms: readonly WrittenPlatform[];
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

/** Blobs of a layout while it is made. */
type Blobs = Map<string, Buffer>;

/**
 * Writes the image into `dir` as an OCI image layout (image-spec 1.1), and as one archive `${dir}.tar` that `docker load`, `ctr images import`
 * and `kind load image-archive` take: one content for each architecture, under an image index if there are several. What is there is
 * replaced. The same contents and time give the same digest.
 */
export function writeImage(
  dir: string,
  contents: readonly [ImageContent, ...ImageContent[]],
  { time, compress = gzipOnce() }: { readonly time: Date; readonly compress?: (tar: Buffer) => Buffer },
): WrittenImage {
  const blobs: Blobs = new Map();
  const [{ reference }] = contents;
  const made = contents.map((content) => toManifest(content, { blobs, time, compress }));
  const manifests = made.map(({ manifest, architecture }) => ({
    ...manifest,
    platform: { architecture, os: "linux" },
  }));
  const [only, ...others] = manifests;
  const root =
    only !== undefined && others.length === 0
      ? only
      : store(blobs, TYPES.index, toJson({ schemaVersion: 2, mediaType: TYPES.index, manifests }));
  const [, tag = "latest"] = /:([^:/]+)$/.exec(reference) ?? [];
  const annotations = { "io.containerd.image.name": reference, "org.opencontainers.image.ref.name": tag };
  const index = { schemaVersion: 2, mediaType: TYPES.index, manifests: [{ ...root, annotations }] };
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
  const platforms = made.map(({ architecture, manifest, layers, compressedBytes }) => ({
    architecture,
    digest: manifest.digest,
    layers: layers.map(({ digest }) => join(dir, "blobs", digest.replace(":", "/"))),
    compressedBytes,
  }));
  return { digest: root.digest, platforms };
}

/** Stores the blobs of one architecture. */
function toManifest(
  content: ImageContent,
  how: { readonly blobs: Blobs; readonly time: Date; readonly compress: (tar: Buffer) => Buffer },
) {
  const { blobs, time, compress } = how;
  const layers = content.layers.map(({ title, files }) => {
    const tar = toTar(completed(files), time);
    return { title, diffId: digestOf(tar), descriptor: store(blobs, TYPES.layer, compress(tar)) };
  });
  const config = store(blobs, TYPES.config, toJson(toConfig(content, layers, time)));
  const descriptors = layers.map(({ descriptor }) => descriptor);
  const manifest = store(
    blobs,
    TYPES.manifest,
    toJson({
      schemaVersion: 2,
      mediaType: TYPES.manifest,
      config,
      layers: descriptors,
      annotations: content.labels,
    }),
  );
  const compressedBytes = [config, manifest, ...descriptors].reduce((sum, { size }) => sum + size, 0);
  return { architecture: content.architecture, manifest, layers: descriptors, compressedBytes };
}

function store(blobs: Blobs, mediaType: string, bytes: Buffer): Descriptor {
  const digest = digestOf(bytes);
  blobs.set(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

function toConfig(
  content: ImageContent,
  layers: readonly { readonly title: string; readonly diffId: string }[],
  time: Date,
): object {
  const created = time.toISOString();
  return {
    created,
    architecture: content.architecture,
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

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function toJson(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
