import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
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
        if (path === "") return values;
        const allowed = allow(path);
        if (allowed === null) {
          warn({ path }, "config provider path is not within allowed.paths");
          return values;
        }
        for (const key of keys) {
          if (key.includes("/")) continue;
          const file = join(allowed, key);
          if (await isFile(file)) values.set(key, await readFile(file, { encoding: "utf8", signal }));
        }
        return values;
      },
    };
  },
};

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
