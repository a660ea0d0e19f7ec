import { ConfigError, config } from "@headrace/sdk";
import type { ConfigProviderDefinition } from "./config-provider.ts";

/** Reads an environment variable of the process: `${env:NAME}`. */
export const envProvider: ConfigProviderDefinition = {
  name: "env",
  aliases: ["org.apache.kafka.common.config.provider.EnvVarConfigProvider"],
  create(params, { env }) {
    const allowed = config.fullMatch(params["allowlist.pattern"] ?? ".*");
    return {
      async get(path, keys) {
        if (path !== "") throw new ConfigError("Path is not supported for EnvVarConfigProvider, invalid value");
        const values = new Map<string, string>();
        for (const key of keys) {
          const value = allowed.test(key) ? env[key] : undefined;
          if (value !== undefined) values.set(key, value);
        }
        return values;
      },
    };
  },
};
