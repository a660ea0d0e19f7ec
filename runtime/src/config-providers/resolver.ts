import { ConfigError, config } from "@headrace/sdk";
import type { ConfigProvider, ConfigProviderDefinition, ProviderEnvironment } from "./config-provider.ts";
import { directoryProvider } from "./directory.ts";
import { envProvider } from "./env.ts";
import { fileProvider } from "./file.ts";

const BUILT_IN: readonly ConfigProviderDefinition[] = [fileProvider, directoryProvider, envProvider];

/** `${provider:key}` or `${provider:path:key}`. Source: org.apache.kafka.common.config.ConfigTransformer. */
const PLACEHOLDER = /\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}/g;

/** Replaces placeholders by what the configured providers say. */
export interface ConfigResolver {
  /** Unknown providers and missing keys are left as they are; values are not resolved again. */
  resolve(config: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Record<string, string>>;
}

/** Makes the providers that the worker's `config.providers` names. Throws ConfigError for a class that is not known. */
export function createConfigResolver(
  worker: Readonly<Record<string, string>>,
  environment: ProviderEnvironment,
): ConfigResolver {
  const providers = new Map<string, ConfigProvider>();
  for (const name of config.splitList(worker["config.providers"])) {
    const prefix = `config.providers.${name}.`;
    const definition = findProvider(worker[`${prefix}class`] ?? name);
    if (definition === null) {
      const text = worker[`${prefix}class`] ?? name;
      throw new ConfigError(
        `Invalid value ${text} for configuration ${prefix}class: Class ${text} could not be found.`,
      );
    }
    const params: Record<string, string> = {};
    for (const [key, value] of Object.entries(worker)) {
      if (key.startsWith(`${prefix}param.`)) params[key.slice(`${prefix}param.`.length)] = value;
    }
    providers.set(name, definition.create(params, environment));
  }
  return { resolve: (raw, signal) => resolve(raw, providers, signal) };
}

function findProvider(name: string): ConfigProviderDefinition | null {
  const simple = name.slice(name.lastIndexOf(".") + 1);
  return (
    BUILT_IN.find((each) => each.name === name || each.aliases.includes(name)) ??
    BUILT_IN.find((each) => !name.includes(".") && each.aliases.some((alias) => alias.endsWith(`.${simple}`))) ??
    null
  );
}

async function resolve(
  raw: Readonly<Record<string, string>>,
  providers: ReadonlyMap<string, ConfigProvider>,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const wanted = new Map<string, { provider: string; path: string; keys: Set<string> }>();
  for (const value of Object.values(raw)) {
    for (const { provider, path, key } of placeholdersOf(value)) {
      if (!providers.has(provider)) continue;
      const id = `${provider}:${path}`;
      const known = wanted.get(id);
      if (known === undefined) wanted.set(id, { provider, path, keys: new Set([key]) });
      else known.keys.add(key);
    }
  }
  const found = new Map<string, ReadonlyMap<string, string>>();
  for (const [id, { provider, path, keys }] of wanted) {
    const values = await providers.get(provider)?.get(path, keys, signal);
    if (values !== undefined) found.set(id, values);
  }
  const resolved: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) {
    resolved[name] = value.replace(
      PLACEHOLDER,
      (text, provider: string, _: unknown, path: string | undefined, key: string) => {
        return found.get(`${provider}:${path ?? ""}`)?.get(key) ?? text;
      },
    );
  }
  return resolved;
}

function placeholdersOf(value: string): { provider: string; path: string; key: string }[] {
  return [...value.matchAll(PLACEHOLDER)].map(([, provider = "", , path = "", key = ""]) => ({ provider, path, key }));
}

/** Whether a raw value contains a placeholder. */
export function hasPlaceholder(value: string): boolean {
  return value.search(PLACEHOLDER) >= 0;
}

/**
 * What may be stored of a configuration made from resolved values: every key whose raw value has a placeholder gets the raw value back
 * (contract §2.5).
 */
export function restorePlaceholders(
  made: Readonly<Record<string, string>>,
  raw: Readonly<Record<string, string>>,
): Record<string, string> {
  const restored: Record<string, string> = { ...made };
  for (const key of Object.keys(made)) {
    const rawValue = raw[key];
    if (rawValue !== undefined && hasPlaceholder(rawValue)) restored[key] = rawValue;
  }
  return restored;
}
