import { createHash } from "node:crypto";
import type { MountedPlugins } from "@headrace/contract";
import { OWN_DIR } from "./kafka-access.ts";

/** Plugins that are in the worker's image itself; the directory may be missing. */
const IMAGE_DIR = `${OWN_DIR}/plugins`;
/** OCI images are mounted here, `<plugin>/<hash>` each. */
export const MOUNT_DIR = `${OWN_DIR}/mounted`;
/** Archives are unpacked here by an init container. */
export const PACKAGES_DIR = `${OWN_DIR}/packages`;

/** Files of an OCI image that are mounted into the worker. */
export interface ImagePlugin {
  readonly directory: string;
  readonly volume: string;
  readonly reference: string;
  readonly pullPolicy: string | undefined;
}

/** An archive that is fetched before the worker starts. */
export interface FetchedPlugin {
  readonly directory: string;
  readonly url: string;
  readonly integrity: string;
}

export interface Plugins {
  readonly images: readonly ImagePlugin[];
  readonly archives: readonly FetchedPlugin[];
  /** The workers' `plugin.path`. */
  readonly path: string;
}

/** Where the plugins of `spec.plugins` come from and go to. Another reference or hash is another directory. */
export function toPlugins(plugins: MountedPlugins = []): Plugins {
  const images: ImagePlugin[] = [];
  const archives: FetchedPlugin[] = [];
  for (const { name, artifacts } of plugins) {
    for (const { type, reference = "", pullPolicy, url = "", integrity = "" } of artifacts) {
      switch (type) {
        case "image": {
          const hash = shortHash(reference);
          const volume = `headrace-plugin-${shortHash(`${name}/${reference}`)}`;
          images.push({ directory: `${MOUNT_DIR}/${name}/${hash}`, volume, reference, pullPolicy });
          break;
        }
        case "npm":
          archives.push({ directory: `${PACKAGES_DIR}/${name}/${shortHash(integrity)}`, url, integrity });
          break;
        default:
          throw new Error(`unreachable: ${type satisfies never}`);
      }
    }
  }
  const directories = [IMAGE_DIR, ...[...images, ...archives].map(({ directory }) => directory)];
  return { images, archives, path: directories.join(",") };
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
