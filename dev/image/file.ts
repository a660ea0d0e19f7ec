/** What becomes one entry of an image's file system. Paths have no slash at the beginning or the end. */
export type ImageFile =
  | { readonly kind: "file"; readonly path: string; readonly content: Buffer; readonly executable: boolean }
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | { readonly kind: "directory"; readonly path: string; readonly mode: number };

/** A file with its content, readable by everybody. */
export function file(path: string, content: Buffer | string, executable = false): ImageFile {
  return { kind: "file", path, content: Buffer.from(content), executable };
}

/**
 * The files in the order of their paths, each once, with the directories they are in. Throws if two files with different content want
 * one path.
 */
export function completed(files: readonly ImageFile[]): readonly ImageFile[] {
  const byPath = new Map<string, ImageFile>();
  for (const one of files) {
    const present = byPath.get(one.path);
    if (present !== undefined && !isSame(present, one)) throw new Error(`two files of an image are ${one.path}`);
    byPath.set(one.path, one);
  }
  for (const { path } of files) {
    for (let parent = parentOf(path); parent !== ""; parent = parentOf(parent)) {
      if (!byPath.has(parent)) byPath.set(parent, { kind: "directory", path: parent, mode: 0o755 });
    }
  }
  return [...byPath.values()].sort((left, right) => (left.path < right.path ? -1 : 1));
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function isSame(left: ImageFile, right: ImageFile): boolean {
  if (left.kind === "file" && right.kind === "file") {
    return left.content.equals(right.content) && left.executable === right.executable;
  }
  return JSON.stringify(left) === JSON.stringify(right);
}
