import { Header, Pax } from "tar";
import type { ImageFile } from "./file.ts";

const BLOCK = 512;

/** A tar archive of the files: owner and group 0, one time for all, so that equal files are equal bytes. */
export function toTar(files: readonly ImageFile[], time: Date): Buffer {
  const parts = files.flatMap((one) => [...toHeader(one, time), ...toBody(one)]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function toHeader(one: ImageFile, mtime: Date): readonly Buffer[] {
  const common = { path: one.path, uid: 0, gid: 0, mtime };
  const fields = (() => {
    switch (one.kind) {
      case "file":
        return { ...common, type: "File", mode: one.executable ? 0o755 : 0o644, size: one.content.length } as const;
      case "link":
        return { ...common, type: "SymbolicLink", mode: 0o777, size: 0, linkpath: one.target } as const;
      case "directory":
        return { ...common, path: `${one.path}/`, type: "Directory", mode: one.mode, size: 0 } as const;
      default:
        throw new Error(`unreachable: ${one satisfies never}`);
    }
  })();
  const block = Buffer.alloc(BLOCK);
  const isTooLong = new Header(fields).encode(block, 0);
  if (!isTooLong) return [block];
  // A name that does not fit comes first, in a record of its own (POSIX pax).
  const { mtime: _, ...named } = fields;
  return [new Pax(named).encode(), block];
}

function toBody(one: ImageFile): readonly Buffer[] {
  if (one.kind !== "file") return [];
  return [one.content, Buffer.alloc((BLOCK - (one.content.length % BLOCK)) % BLOCK)];
}
