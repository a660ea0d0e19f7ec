import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "@headrace/sdk";
import { createAllowedPaths } from "./allowed-paths.ts";
import type { ConfigProviderDefinition } from "./config-provider.ts";

/** Reads a file of a directory as it is, for instance of a mounted Secret: `${directory:/path:file}`. */
export const directoryProvider: ConfigProviderDefinition = {
  name: "directory",
  aliases: ["org.apache.kafka.common.config.provider.DirectoryConfigProvider"],
  create(params, { warn }) {
    const allow = createAllowedPaths(params["allowed.paths"]);
    return {
      async get(path, keys, signal) {
        const values = new Map<string, string>();
        if (path === "") return { values };
        const allowed = allow(path);
        if (allowed === null) {
          warn({ path }, "config provider path is not within allowed.paths");
          return { values };
        }
        const names = await namesIn(allowed);
        if (names === null) {
          warn({ path }, "config provider path is not a directory that can be read");
          return { values };
        }
        for (const key of keys) {
          if (names.has(key)) await read(join(allowed, key), signal, (text) => values.set(key, text));
        }
        return { values };
      },
    };
  },
};

async function namesIn(directory: string): Promise<ReadonlySet<string> | null> {
  try {
    return new Set(await readdir(directory));
  } catch {
    return null; // Told by the caller.
  }
}

/** Regular files only, links to them included: the files of a mounted Secret are links. */
async function read(file: string, signal: AbortSignal, found: (text: string) => void): Promise<void> {
  try {
    if ((await stat(file)).isFile()) found(await readFile(file, { encoding: "utf8", signal }));
  } catch (cause) {
    throw new ConfigError(`Could not read file ${file}`, { cause });
  }
}
