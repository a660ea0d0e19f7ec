import { fillPlaceholders, placeholdersIn } from "@headrace/contract";
import { ConfigError, config } from "@headrace/sdk";
import type { ConfigProvider, ConfigProviderDefinition, Provided, ProviderEnvironment } from "./config-provider.ts";
import { directoryProvider } from "./directory.ts";
import { envProvider } from "./env.ts";
import { fileProvider } from "./file.ts";
import { configMapProvider, secretProvider } from "./kubernetes.ts";

const BUILT_IN: readonly ConfigProviderDefinition[] = [
  fileProvider,
  directoryProvider,
  envProvider,
  secretProvider,
  configMapProvider,
];

type Config = Readonly<Record<string, string>>;

/** Values that are good for a time only. */
export interface Expiry {
  /** `provider:path`. */
  readonly source: string;
  readonly ttlMs: number;
}

/** A configuration with its values put in. */
export interface Resolved {
  readonly config: Record<string, string>;
  /** One per source whose values run out. */
  readonly expiries: readonly Expiry[];
}

/** Replaces placeholders by what the configured providers say. */
export interface ConfigResolver {
  /** Unknown providers and missing keys are left as they are; values are not resolved again. Throws ConfigError if a provider fails. */
  resolve(config: Config, signal: AbortSignal): Promise<Record<string, string>>;
  /** As {@link resolve}, and says which of the values run out. */
  resolveTimed(config: Config, signal: AbortSignal): Promise<Resolved>;
}

/**
 * Makes the providers that the worker's `config.providers` names; `also` are there without being named, by their own names. Throws
 * ConfigError for a class that is not known or parameters that are wrong.
 */
export function createConfigResolver(
  worker: Config,
  environment: ProviderEnvironment,
  also: readonly string[] = [],
): ConfigResolver {
  const providers = new Map<string, ConfigProvider>();
  for (const name of new Set([...config.splitList(worker["config.providers"]), ...also])) {
    providers.set(name, createProvider(name, worker, environment));
  }
  const resolveTimed = (raw: Config, signal: AbortSignal) => resolve(raw, providers, environment.given, signal);
  return {
    resolveTimed,
    resolve: async (raw, signal) => (await resolveTimed(raw, signal)).config,
  };
}

/**
 * The worker's configuration as its connectors may use it: without the providers with `param.worker.only=true`, our addition, which
 * are for the worker's own credentials.
 */
export function forConnectors(worker: Config): Config {
  const isShared = (name: string) =>
    worker[`config.providers.${name}.param.worker.only`]?.trim().toLowerCase() !== "true";
  const shared = config.splitList(worker["config.providers"]).filter(isShared);
  return { ...worker, "config.providers": shared.join(",") };
}

/** Which of ours a provider of the worker's `config.providers` is, as `file`; null: its class is not here. */
export function knownProvider(name: string, worker: Config): string | null {
  return findProvider(classOf(name, worker))?.name ?? null;
}

function classOf(name: string, worker: Config): string {
  return worker[`config.providers.${name}.class`]?.trim() ?? name;
}

function createProvider(name: string, worker: Config, environment: ProviderEnvironment): ConfigProvider {
  const prefix = `config.providers.${name}.`;
  const className = classOf(name, worker);
  const definition = findProvider(className);
  if (definition === null) {
    const known = BUILT_IN.flatMap((each) => each.aliases).join(", ");
    throw new ConfigError(
      `Invalid value ${className} for configuration ${prefix}class: Class ${className} could not be found; known are ${known}`,
    );
  }
  const params: Record<string, string> = {};
  for (const [key, value] of Object.entries(worker)) {
    if (key.startsWith(`${prefix}param.`)) params[key.slice(`${prefix}param.`.length)] = value;
  }
  try {
    return withTtl(definition.create(params, environment), params["ttl.ms"]);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`Config provider ${name} cannot be set up: ${error.message}`, { cause: error });
  }
}

function findProvider(name: string): ConfigProviderDefinition | null {
  const isSimple = !name.includes(".");
  return (
    BUILT_IN.find((each) => each.name === name || each.aliases.includes(name)) ??
    BUILT_IN.find((each) => isSimple && each.aliases.some((alias) => alias.endsWith(`.${name}`))) ??
    null
  );
}

/** `param.ttl.ms` of any provider, our addition: values are read again after that time. */
function withTtl(provider: ConfigProvider, text: string | undefined): ConfigProvider {
  if (text === undefined) return provider;
  const ttlMs = Number(text.trim());
  if (text.trim() === "" || !Number.isSafeInteger(ttlMs) || ttlMs < 0) {
    throw new ConfigError(`param.ttl.ms must be a whole number of milliseconds, found ${text}`);
  }
  return { get: async (path, keys, signal) => ({ ttlMs, ...(await provider.get(path, keys, signal)) }) };
}

async function resolve(
  raw: Config,
  providers: ReadonlyMap<string, ConfigProvider>,
  given: ProviderEnvironment["given"],
  signal: AbortSignal,
): Promise<Resolved> {
  const wanted = new Map<string, { provider: string; path: string; keys: Set<string> }>();
  for (const value of Object.values(raw)) {
    for (const { provider, path, key } of placeholdersIn(value)) {
      if (!providers.has(provider)) continue;
      const source = `${provider}:${path}`;
      const known = wanted.get(source);
      if (known === undefined) wanted.set(source, { provider, path, keys: new Set([key]) });
      else known.keys.add(key);
    }
  }
  const found = new Map<string, Provided>();
  for (const [source, { provider, path, keys }] of wanted) {
    const provided = await providers.get(provider)?.get(path, keys, signal);
    if (provided !== undefined) found.set(source, provided);
  }
  const resolved: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) {
    resolved[name] = fillPlaceholders(value, (placeholder) => {
      const { provider, path, key } = placeholder;
      const put = found.get(`${provider}:${path}`)?.values.get(key);
      if (put !== undefined) given?.(put, placeholder);
      return put;
    });
  }
  const expiries = [...found].flatMap(([source, { ttlMs }]) => (ttlMs === undefined ? [] : [{ source, ttlMs }]));
  return { config: resolved, expiries };
}
