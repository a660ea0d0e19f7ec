import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import type { StringMap } from "@headrace/contract";
import { parse } from "dot-properties";

/**
 * Placeholders `${provider:key}` and `${provider:path:key}` of the worker's own file (contract §10). Connectors' placeholders are
 * resolved in executors only.
 */
export type Provider = (path: string, key: string) => string | null;

/** The provider's name ends at the first colon, the path at the second; the key may have more of them. */
const PLACEHOLDER = /\$\{([^}]*?):(?:([^}]*?):)?([^}]*?)\}/g;

/** Resolves a value; an unknown provider or a missing key leaves the text as it is. What comes out is not resolved again. */
export function resolvePlaceholders(value: string, providers: ReadonlyMap<string, Provider>): string {
  return value.replace(
    PLACEHOLDER,
    (text, name: string, path: string | undefined, key: string) => providers.get(name)?.(path ?? "", key) ?? text,
  );
}

/** `config.providers` of the worker's file by name; `env`, `file` and `directory` are there without being named. Throws for an unknown class. */
export function createProviders(properties: StringMap, env: StringMap): ReadonlyMap<string, Provider> {
  const providers = new Map<string, Provider>([
    ["env", createProvider("EnvVarConfigProvider", {}, env)],
    ["file", createProvider("FileConfigProvider", {}, env)],
    ["directory", createProvider("DirectoryConfigProvider", {}, env)],
  ]);
  const names = (properties["config.providers"] ?? "").split(",").map((name) => name.trim());
  for (const name of names.filter((candidate) => candidate !== "")) {
    const prefix = `config.providers.${name}.param.`;
    const params = Object.entries(properties).flatMap(([key, value]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [],
    );
    providers.set(
      name,
      createProvider(properties[`config.providers.${name}.class`] ?? name, Object.fromEntries(params), env),
    );
  }
  return providers;
}

function createProvider(className: string, params: StringMap, env: StringMap): Provider {
  const simple = className.slice(className.lastIndexOf(".") + 1);
  switch (simple) {
    case "EnvVarConfigProvider":
    case "env":
      return envProvider(params["allowlist.pattern"], env);
    case "FileConfigProvider":
    case "file":
      return fileProvider(allowedPaths(params));
    case "DirectoryConfigProvider":
    case "directory":
      return directoryProvider(allowedPaths(params));
    default:
      throw new Error(
        `unknown class ${className}; known are EnvVarConfigProvider, FileConfigProvider, DirectoryConfigProvider`,
      );
  }
}

function envProvider(pattern: string | undefined, env: StringMap): Provider {
  const allowed = pattern === undefined ? null : new RegExp(`^(?:${pattern})$`);
  return (path, key) => {
    if (path !== "") throw new Error(`environment variables have no path, found '${path}'`);
    return allowed?.test(key) === false ? null : (env[key] ?? null);
  };
}

function fileProvider(isAllowed: (path: string) => boolean): Provider {
  return (path, key) => {
    if (path === "" || !isAllowed(path)) return null;
    const values = parse(readFileSync(path, "utf8"));
    const value = Object.hasOwn(values, key) ? values[key] : undefined;
    return typeof value === "string" ? value : null;
  };
}

function directoryProvider(isAllowed: (path: string) => boolean): Provider {
  return (path, key) => {
    if (path === "" || !isAllowed(path) || !readdirSync(path).includes(key)) return null;
    const file = join(path, key);
    return statSync(file).isFile() ? readFileSync(file, "utf8") : null;
  };
}

function allowedPaths(params: StringMap): (path: string) => boolean {
  const given = params["allowed.paths"];
  if (given === undefined) return () => true;
  const roots = given.split(",").map((path) => resolve(path.trim()));
  return (path) => roots.some((root) => resolve(path) === root || resolve(path).startsWith(root + sep));
}
