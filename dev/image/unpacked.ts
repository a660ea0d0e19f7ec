import { mkdirSync, rmSync } from "node:fs";
import { extract } from "tar";
import type { WrittenPlatform } from "./oci-layout.ts";

/** Unpacks the file system of an image into `target`, which is emptied first; modes are the image's, whatever the umask is. */
export async function unpackImage({ layers }: Pick<WrittenPlatform, "layers">, target: string): Promise<void> {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const file of layers) await extract({ file, cwd: target, chmod: true });
}
