/** A directory of this machine that stands for a path in the container. */
export interface Mount {
  readonly mountPath: string;
  readonly hostPath: string;
}

/**
 * Makes a function that replaces mount paths by the directories that stand for them, anywhere in a text where they are whole path segments:
 * `--config=/etc/app/x` with a mount at `/etc/app`, but not `/etc/application` or `/opt/etc/app`. The longest mount path wins.
 */
export function createPathMapper(mounts: readonly Mount[]): (text: string) => string {
  const hostPaths = new Map(mounts.map(({ mountPath, hostPath }) => [mountPath.replace(/\/+$/, ""), hostPath]));
  const paths = [...hostPaths.keys()].filter((path) => path !== "").sort((a, b) => b.length - a.length);
  if (paths.length === 0) return (text) => text;
  const escaped = paths.map((path) => path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const pattern = new RegExp(`(?<![\\w./-])(?:${escaped})(?![\\w.-])`, "g");
  return (text) => text.replace(pattern, (path) => hostPaths.get(path) ?? path);
}
