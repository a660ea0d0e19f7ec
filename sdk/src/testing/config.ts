import type { z } from "zod";
import { ConfigError } from "../errors.ts";
import type { RawConfig } from "../source.ts";

/** The part of a definition that has a configuration. */
export interface Configured<S extends z.ZodObject> {
  readonly config: S;
  validate?(config: z.output<S>, signal: AbortSignal): Promise<Readonly<Record<string, readonly string[]>>>;
}

/** Parses a configuration as the worker does. Throws ConfigError with all problems, each as `key: message`. */
export function parseConfig<S extends z.ZodObject>(definition: Configured<S>, config: RawConfig): z.output<S> {
  const result = definition.config.safeParse(config);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`);
  throw new ConfigError(problems.join("; "));
}

/** What a configuration is found guilty of, by the schema and then by the connector's own `validate`: messages by key. */
export async function problemsOf<S extends z.ZodObject>(
  definition: Configured<S>,
  config: RawConfig,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const problems = new Map<string, string[]>();
  const add = (key: string, message: string) => problems.set(key, [...(problems.get(key) ?? []), message]);
  const result = definition.config.safeParse(config);
  if (!result.success) {
    for (const { path, message } of result.error.issues) add(path.map(String).join("."), message);
    return problems;
  }
  const found = (await definition.validate?.(result.data, signal)) ?? {};
  for (const [key, messages] of Object.entries(found)) for (const message of messages) add(key, message);
  return problems;
}
