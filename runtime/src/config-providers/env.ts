import { ConfigError, config } from "@headrace/sdk";
import type { ConfigProviderDefinition } from "./config-provider.ts";

/** Reads an environment variable of the process: `${env:NAME}`. */
export const envProvider: ConfigProviderDefinition = {
  name: "env",
  aliases: ["org.apache.kafka.common.config.provider.EnvVarConfigProvider"],
  create(params, { env }) {
    const allowed = compile(params["allowlist.pattern"] ?? ".*");
    return {
      async get(path, keys) {
        if (path !== "")
          throw new ConfigError(`Path is not supported for EnvVarConfigProvider, invalid value '${path}'`);
        const values = new Map<string, string>();
        for (const key of keys) {
          const value = allowed.test(key) ? env[key] : undefined;
          if (value !== undefined) values.set(key, value);
        }
        return { values };
      },
    };
  },
};

function compile(pattern: string): RegExp {
  try {
    return config.fullMatch(pattern);
  } catch (cause) {
    throw new ConfigError(`allowlist.pattern ${pattern} is not a regular expression`, { cause });
  }
}
