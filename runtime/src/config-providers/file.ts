import { readFile } from "node:fs/promises";
import { ConfigError } from "@headrace/sdk";
import { parse } from "dot-properties";
import { createAllowedPaths } from "./allowed-paths.ts";
import type { ConfigProviderDefinition } from "./config-provider.ts";

/** Reads a key of a Java properties file: `${file:/path/to/file.properties:key}`. */
export const fileProvider: ConfigProviderDefinition = {
  name: "file",
  aliases: ["org.apache.kafka.common.config.provider.FileConfigProvider"],
  create(params, { warn }) {
    const allow = createAllowedPaths(params["allowed.paths"]);
    return {
      async get(path, keys, signal) {
        if (path === "") return { values: new Map() };
        const allowed = allow(path);
        if (allowed === null) {
          warn({ path }, "config provider path is not within allowed.paths");
          return { values: new Map() };
        }
        const properties = await read(allowed, signal);
        return { values: new Map(Object.entries(properties).filter(([key]) => keys.has(key))) };
      },
    };
  },
};

async function read(path: string, signal: AbortSignal): Promise<Record<string, string>> {
  let text: string;
  try {
    text = await readFile(path, { encoding: "utf8", signal });
  } catch (cause) {
    throw new ConfigError(`Could not read properties from file ${path}`, { cause });
  }
  const values: Record<string, string> = {};
  for (const [key, value] of Object.entries(parse(text))) values[key] = String(value);
  return values;
}
