import { readFileSync } from "node:fs";
import { type ConfigProblem, parseWorkerConfig, type StringMap, type WorkerConfig } from "@headrace/contract";
import { parse } from "dot-properties";
import { parseListener } from "./listeners.ts";
import { createProviders, resolvePlaceholders } from "./placeholders.ts";

/** A worker's configuration, checked, and all its properties as they are passed on to executors and clients. */
export interface LoadedConfig {
  readonly config: WorkerConfig;
  /** Every key of the file with its placeholders resolved, known or not. */
  readonly properties: StringMap;
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

/** Reads and checks a worker's properties file. Throws {@link InvalidConfigError} with every problem. */
export function loadConfig(file: string, env: StringMap): LoadedConfig {
  const raw = readProperties(file);
  const problems: ConfigProblem[] = [];
  const properties = resolveAll(raw, env, problems);
  const parsed = parseWorkerConfig(properties);
  if (parsed.kind === "invalid") problems.push(...parsed.problems);
  else problems.push(...unsupported(parsed.config));
  if (problems.length > 0 || parsed.kind === "invalid") throw new InvalidConfigError(file, problems);
  return { config: parsed.config, properties };
}

function readProperties(file: string): StringMap {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new InvalidConfigError(file, [{ key: "the file", value: null, expected: `must be readable: ${message}` }]);
  }
  const values = Object.entries(parse(text));
  return Object.fromEntries(values.flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])));
}

function resolveAll(raw: StringMap, env: StringMap, problems: ConfigProblem[]): StringMap {
  const attempt = (key: string, value: string, step: () => string): string => {
    try {
      return step();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      problems.push({ key, value, expected: `has a placeholder that cannot be resolved: ${message}` });
      return value;
    }
  };
  const providers = createdOrProblem(raw, env, problems);
  return Object.fromEntries(
    Object.entries(raw).map(([key, value]) => [
      key,
      key === "plugin.path" ? value : attempt(key, value, () => resolvePlaceholders(value, providers)),
    ]),
  );
}

function createdOrProblem(raw: StringMap, env: StringMap, problems: ConfigProblem[]) {
  try {
    return createProviders(raw, env);
  } catch (error) {
    const expected = `cannot be set up: ${error instanceof Error ? error.message : error}`;
    problems.push({ key: "config.providers", value: raw["config.providers"] ?? null, expected });
    return createProviders({}, env);
  }
}

/** What the contract allows and this version cannot do. */
function unsupported(config: WorkerConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const listener of config.listeners) {
    const parsed = parseListener(listener);
    if (parsed.kind === "invalid") problems.push({ key: "listeners", value: listener, expected: parsed.expected });
  }
  const eos = config["exactly.once.source.support"];
  if (eos !== "disabled") {
    problems.push({
      key: "exactly.once.source.support",
      value: eos,
      expected: "must be disabled: exactly-once is not supported yet",
    });
  }
  const metrics = config["headrace.metrics.listener"];
  if (metrics !== null && metrics !== "") {
    const parsed = parseListener(metrics);
    if (parsed.kind === "invalid") {
      problems.push({ key: "headrace.metrics.listener", value: metrics, expected: parsed.expected });
    }
  }
  return problems;
}
