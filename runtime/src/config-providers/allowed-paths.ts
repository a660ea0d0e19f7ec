import { existsSync } from "node:fs";
import { isAbsolute, normalize } from "node:path";
import { ConfigError, config } from "@headrace/sdk";
import { isWithin } from "../path-within.ts";

/** Whether a path may be read; null: it may not. Source: org.apache.kafka.common.config.internals.AllowedPaths. */
export type AllowedPath = (path: string) => string | null;

/**
 * `allowed.paths` is a comma list of absolute files and directories; not given or empty: everything is allowed. Throws ConfigError for
 * one that is not absolute or does not exist.
 */
export function createAllowedPaths(list: string | undefined): AllowedPath {
  const allowed = config.splitList(list);
  if (allowed.length === 0) return (path) => path;
  const roots = allowed.map((path) => {
    if (!isAbsolute(path)) throw new ConfigError(`Path ${path} is not absolute`);
    const root = normalize(path).replace(/(?<=.)\/$/, "");
    if (!existsSync(root)) throw new ConfigError(`Path ${root} does not exist`);
    return root;
  });
  return (path) => {
    const wanted = normalize(path);
    if (!isAbsolute(wanted)) return null;
    return roots.some((root) => isWithin(wanted, root)) ? wanted : null;
  };
}
