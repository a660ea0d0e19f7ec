import { readFileSync } from "node:fs";
import {
  type ConfigProblem,
  type ParsedWorkerConfig,
  parseWorkerConfig,
  type StringMap,
  type WorkerConfig,
} from "@headrace/contract";
import { parse as parseText } from "dot-properties";
import type { ProviderEnvironment } from "./config-providers/config-provider.ts";
import { type ConfigResolver, createConfigResolver } from "./config-providers/resolver.ts";
import { workerSecurityProblems } from "./kafka/client-config.ts";
import { parseListener } from "./listeners.ts";
import { POLICY_KEY, parseOverridePolicy } from "./plugins/override-policy.ts";
import { restProblems } from "./rest-service.ts";

/** A worker's configuration, checked, and all its properties as they are passed on to executors and clients. */
export interface LoadedConfig {
  readonly config: WorkerConfig;
  /** Every key of the file with its placeholders resolved, known or not. */
  readonly properties: StringMap;
  /** What providers refused to read. */
  readonly warnings: readonly string[];
}

/** The configuration file cannot be used; the message has one line per problem. */
export class InvalidConfigError extends Error {
  override readonly name = "InvalidConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ key, value, expected }) => {
      const given = value === null ? "" : ` (found ${SECRET.test(key) ? "a value" : JSON.stringify(value)})`;
      return `  ${key} ${expected}${given}`;
    });
    super(`${file} has ${problems.length} problem(s):\n${lines.join("\n")}`);
    this.problems = problems;
  }
}

const SECRET = /password|secret|jaas|token|\.key$/i;

/** A worker's properties before their placeholders are resolved, and the file that they come from. */
export interface ConfigSource {
  readonly file: string;
  readonly properties: StringMap;
}

/** Reads and checks the properties file of a worker of distributed mode. Rejects with {@link InvalidConfigError}, which has every problem. */
export async function loadConfig(file: string, env: StringMap, signal: AbortSignal): Promise<LoadedConfig> {
  return checkConfig({ file, properties: readProperties(file) }, env, parseWorkerConfig, signal);
}

/** The same of properties that were read elsewhere; `parse` knows the mode. */
export async function checkConfig(
  { file, properties: raw }: ConfigSource,
  env: StringMap,
  parse: (properties: StringMap) => ParsedWorkerConfig,
  signal: AbortSignal,
): Promise<LoadedConfig> {
  return checkResolved(file, await resolveProperties(raw, env, signal), parse);
}

/** A worker's properties with their placeholders resolved. */
export interface ResolvedProperties extends Pick<LoadedConfig, "properties" | "warnings"> {
  /** Placeholders that cannot be resolved, and providers that cannot be set up. */
  readonly problems: readonly ConfigProblem[];
}

/** Resolves what can be. */
export async function resolveProperties(
  raw: StringMap,
  env: StringMap,
  signal: AbortSignal,
): Promise<ResolvedProperties> {
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  const environment = {
    env,
    warn: (fields: object, message: string) => void warnings.push(`${message}: ${JSON.stringify(fields)}`),
  };
  return { properties: await resolveAll(raw, environment, problems, signal), warnings, problems };
}

/** Checks properties that are resolved. Throws {@link InvalidConfigError}, which has every problem. */
export function checkResolved(
  file: string,
  { properties, warnings, problems: unresolved }: ResolvedProperties,
  parse: (properties: StringMap) => ParsedWorkerConfig,
): LoadedConfig {
  const parsed = parse(properties);
  const found = parsed.kind === "invalid" ? parsed.problems : unsupported(parsed.config, properties);
  const problems = [...unresolved, ...found];
  if (problems.length > 0 || parsed.kind === "invalid") throw new InvalidConfigError(file, problems);
  return { config: parsed.config, properties, warnings };
}

/** Reads a properties file as it stands. Throws {@link InvalidConfigError} if it is not readable. */
export function readProperties(file: string): StringMap {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new InvalidConfigError(file, [{ key: "the file", value: null, expected: `must be readable: ${message}` }]);
  }
  const values = Object.entries(parseText(text));
  return Object.fromEntries(values.flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])));
}

/** Providers that are there without being named in `config.providers`. */
const ALWAYS_THERE = ["env", "file", "directory"];
/** A provider may be far away. */
const RESOLVE_TIMEOUT_MS = 30_000;

async function resolveAll(
  raw: StringMap,
  environment: ProviderEnvironment,
  problems: ConfigProblem[],
  signal: AbortSignal,
): Promise<StringMap> {
  const resolver = createdOrProblem(raw, environment, problems);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(RESOLVE_TIMEOUT_MS)]);
  const attempt = async (key: string, value: string): Promise<readonly [string, string]> => {
    // Plugins are found before anything else is there (contract §6.1).
    if (key === "plugin.path") return [key, value];
    try {
      return [key, (await resolver.resolve({ [key]: value }, deadline))[key] ?? value];
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      problems.push({ key, value, expected: `has a placeholder that cannot be resolved: ${message}` });
      return [key, value];
    }
  };
  return Object.fromEntries(await Promise.all(Object.entries(raw).map(([key, value]) => attempt(key, value))));
}

function createdOrProblem(raw: StringMap, environment: ProviderEnvironment, problems: ConfigProblem[]): ConfigResolver {
  try {
    return createConfigResolver(raw, environment, ALWAYS_THERE);
  } catch (error) {
    const expected = `cannot be set up: ${error instanceof Error ? error.message : error}`;
    problems.push({ key: "config.providers", value: raw["config.providers"] ?? null, expected });
    return createConfigResolver({}, environment, ALWAYS_THERE);
  }
}

/** What the contract allows and this version cannot do. */
function unsupported(config: WorkerConfig, properties: StringMap): ConfigProblem[] {
  const problems: ConfigProblem[] = [...restProblems(config, properties)];
  for (const problem of workerSecurityProblems(properties)) {
    const space = problem.indexOf(" ");
    problems.push({ key: problem.slice(0, space), value: null, expected: problem.slice(space + 1) });
  }
  try {
    parseOverridePolicy(properties);
  } catch (error) {
    const expected = error instanceof Error ? error.message : String(error);
    problems.push({ key: POLICY_KEY, value: properties[POLICY_KEY] ?? null, expected });
  }
  const metrics = config["headrace.metrics.listener"];
  if (metrics !== null && metrics !== "") {
    const parsed = parseListener(metrics);
    const expected = parsed.kind === "invalid" ? parsed.expected : "must use http: metrics are served without TLS";
    if (parsed.kind === "invalid" || parsed.listener.scheme === "https") {
      problems.push({ key: "headrace.metrics.listener", value: metrics, expected });
    }
  }
  return problems;
}
