import { isAbsolute, normalize, sep } from "node:path";
import { ConfigError, config } from "@headrace/sdk";

/** Whether a path may be read; null: it may not. Source: org.apache.kafka.common.config.internals.AllowedPaths. */
export type AllowedPath = (path: string) => string | null;

/** `allowed.paths` is a comma list of absolute files and directories; not given or empty: everything is allowed. */
export function createAllowedPaths(list: string | undefined): AllowedPath {
  const allowed = config.splitList(list);
  if (allowed.length === 0) return (path) => path;
  const roots = allowed.map((path) => {
    if (!isAbsolute(path)) throw new ConfigError(`Path ${path} is not absolute`);
    return normalize(path).replace(/\/$/, "");
  });
  return (path) => {
    const wanted = normalize(path);
    return roots.some((root) => wanted === root || wanted.startsWith(root + sep)) ? wanted : null;
  };
}
