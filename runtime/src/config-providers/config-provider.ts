import type { Placeholder } from "@headrace/contract";

/** What a provider found. */
export interface Provided {
  readonly values: ReadonlyMap<string, string>;
  /** For how long the values are good, ms; not given: for as long as they are used. */
  readonly ttlMs?: number;
}

/** Looks values up outside of a configuration (contract §10). Source: org.apache.kafka.common.config.provider.ConfigProvider. */
export interface ConfigProvider {
  /** The values of those keys that exist under `path`; others are left out. Throws ConfigError for a source that cannot be read. */
  get(path: string, keys: ReadonlySet<string>, signal: AbortSignal): Promise<Provided>;
}

/** What providers may use of their surroundings. */
export interface ProviderEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly warn: (fields: object, message: string) => void;
  /** Told every value that is put in place of a placeholder. */
  readonly given?: (value: string, placeholder: Placeholder) => void;
}

/** A kind of provider, made once per name that the worker configures, from its `param.*`. */
export interface ConfigProviderDefinition {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Throws ConfigError for parameters that are wrong. */
  create(params: Readonly<Record<string, string>>, environment: ProviderEnvironment): ConfigProvider;
}
