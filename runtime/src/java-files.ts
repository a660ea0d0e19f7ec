import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Placeholder, placeholdersIn, type StringMap } from "@headrace/contract";
import { config } from "@headrace/sdk";
import { knownProvider } from "./config-providers/resolver.ts";
import type { Finding } from "./finding.ts";
import { isWithin } from "./path-within.ts";

/** A file that a property needs. */
export interface NeededFile {
  readonly key: string;
  readonly path: string;
}

/** Files that the placeholders of raw properties name. */
export function filesOfPlaceholders(raw: StringMap): readonly NeededFile[] {
  return Object.entries(raw).flatMap(([key, value]) =>
    placeholdersIn(value).flatMap((placeholder) => {
      const path = fileOf(placeholder, raw);
      return path === null ? [] : [{ key, path }];
    }),
  );
}

/** Key stores that resolved properties name. */
export function filesOfStores(properties: StringMap): readonly NeededFile[] {
  return ["ssl.truststore.location", "ssl.keystore.location"].flatMap((key) => {
    const path = properties[key];
    return path === undefined ? [] : [{ key, path }];
  });
}

/** Those of the files that are below `mounts` and not there. */
export function missingFiles(files: readonly NeededFile[], mounts: readonly string[]): readonly Finding[] {
  return files
    .filter(({ path }) => isBelow(path, mounts) && !existsSync(path))
    .map(({ key, path }) => ({ what: key, problem: `there is no file ${path}` }));
}

/**
 * Placeholders that were left as they are, though Java's worker may find something in its image: variables, and files that are not below
 * `mounts`. As sentences.
 */
export function unknownValues(raw: StringMap, resolved: StringMap, mounts: readonly string[]): readonly string[] {
  const named = config.splitList(raw["config.providers"]);
  return Object.entries(raw).flatMap(([key, value]) => {
    const left = new Set(placeholdersIn(resolved[key] ?? "").map(({ text }) => text));
    const unknown = placeholdersIn(value).filter((placeholder) => {
      if (!left.has(placeholder.text) || !named.includes(placeholder.provider)) return false;
      const path = fileOf(placeholder, raw);
      return path === null ? knownProvider(placeholder.provider, raw) === "env" : !isBelow(path, mounts);
    });
    return unknown.map(({ text }) => `${key}: ${text} is not known here, the image of the workers may have it`);
  });
}

/** The file that a placeholder is read from; null if it is from none. */
function fileOf({ provider, path, key }: Placeholder, raw: StringMap): string | null {
  if (path === "") return null;
  switch (knownProvider(provider, raw)) {
    case "file":
      return path;
    case "directory":
      return join(path, key);
    default:
      return null;
  }
}

function isBelow(path: string, mounts: readonly string[]): boolean {
  return mounts.some((mount) => isWithin(resolve(path), resolve(mount)));
}
