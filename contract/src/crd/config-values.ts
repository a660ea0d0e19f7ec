import { z } from "zod";

/**
 * Free-form configuration as it stands in a resource: names to strings, numbers or booleans.
 *
 * The API server refuses non-empty maps and lists. What it cannot refuse (null, `{}`, `[]`, integers that do not fit)
 * arrives here and is reported by `toStringMap`, so that one bad value is one resource's problem.
 */
export const ConfigValues = z.record(z.string(), z.unknown()).meta({ "x-headrace-schema": "scalar-map" });
export type ConfigValues = z.infer<typeof ConfigValues>;

/** One configuration key that is wrong, and why, as a sentence without the key. */
export interface ConfigValueProblem {
  readonly key: string;
  readonly message: string;
}

export interface StringMapResult {
  readonly values: Readonly<Record<string, string>>;
  readonly problems: readonly ConfigValueProblem[];
}

/** Turns configuration values into the strings that Kafka Connect knows; what is no scalar is a problem, not a value. */
export function toStringMap(config: ConfigValues): StringMapResult {
  const values: Record<string, string> = {};
  const problems: ConfigValueProblem[] = [];
  for (const [key, value] of Object.entries(config)) {
    const message = problemOf(value);
    if (message === undefined) values[key] = String(value);
    else problems.push({ key, message });
  }
  return { values, problems };
}

function problemOf(value: unknown): string | undefined {
  if (value === null || value === undefined) return "has no value; give it one, or remove the key";
  if (typeof value === "object") return "must be a string, a number or a boolean";
  if (typeof value === "bigint" || (Number.isInteger(value) && !Number.isSafeInteger(value)))
    return "is too large for a number in YAML; write it in quotes";
  return undefined;
}
