import type { ConfigInfos, ConfigKeyInfo, StringMap } from "@headrace/contract";
import { ConfigError, config as key } from "@headrace/sdk";
import type { z } from "zod";
import { type ConfigResolver, hasPlaceholder } from "../config-providers/resolver.ts";
import { ConnectError } from "../errors.ts";
import { parseTopicCreation } from "../task/topic-creation.ts";
import { type ConverterUse, chooseConverter } from "./compile-pipeline.ts";
import { checkKeys, describeKeys, type KeyDefinition } from "./config-def.ts";
import { below, PREDICATE_KEYS, SINK_KEYS, SOURCE_KEYS, TRANSFORM_KEYS } from "./connector-keys.ts";
import type { ConnectorDefinition, PluginDefinition, PluginRegistry } from "./registry.ts";

export interface ValidationParts {
  readonly plugins: PluginRegistry;
  readonly worker: StringMap;
  readonly resolver: ConfigResolver;
}

/** The rows of an answer, in order, and the errors found so far. */
class Rows {
  readonly #keys = new Map<string, KeyDefinition>();
  readonly #errors = new Map<string, string[]>();

  add(keys: readonly KeyDefinition[]): void {
    for (const key of keys) if (!this.#keys.has(key.info.name)) this.#keys.set(key.info.name, key);
  }

  /** An error of a key that has no row stands at the connector's class. */
  error(name: string, message: string): void {
    const row = this.#keys.has(name) ? name : "connector.class";
    const known = this.#errors.get(row);
    if (known === undefined) this.#errors.set(row, [message]);
    else if (!known.includes(message)) known.push(message);
  }

  hasErrors(): boolean {
    return this.#errors.size > 0;
  }

  toInfos(name: string, config: StringMap): ConfigInfos {
    const configs = [...this.#keys.values()].map(({ info, recommended }) => ({
      definition: info,
      value: {
        name: info.name,
        value: config[info.name] ?? info.default_value,
        recommended_values: [...recommended],
        errors: this.#errors.get(info.name) ?? [],
        visible: true,
      },
    }));
    const groups = new Set(configs.map(({ definition }) => definition.group).filter((group) => group !== null));
    const error_count = configs.reduce((sum, { value }) => sum + value.errors.length, 0);
    return { name, error_count, groups: [...groups], configs };
  }
}

/**
 * Checks a connector's configuration, as `PUT /connector-plugins/{p}/config/validate` answers it (contract §5.4). Resolved values are
 * checked, raw ones are shown. Throws if there is no such connector.
 */
export async function validateConfig(
  parts: ValidationParts,
  config: StringMap,
  signal: AbortSignal,
): Promise<ConfigInfos> {
  const { plugins, resolver } = parts;
  const resolved = await resolver.resolve(config, signal);
  const className = resolved["connector.class"]?.trim() ?? "";
  if (className === "") {
    const names = Object.keys(config).join(", ");
    throw new ConnectError("bad-request", `Connector config {${names}} contains no connector type`);
  }
  const definition = plugins.connector(className);
  const rows = new Rows();
  const check = (keys: readonly KeyDefinition[]) => {
    rows.add(keys);
    for (const [name, messages] of checkKeys(keys, resolved, config)) {
      for (const message of messages) rows.error(name, message);
    }
  };
  check(describeKeys(definition.kind === "source" ? SOURCE_KEYS : SINK_KEYS));
  checkTransforms(plugins, resolved, rows, check);
  check(describeKeys(definition.config));
  for (const use of ["key", "value", "header"] as const) checkConverter(parts, use, resolved, rows, check);
  if (definition.kind === "sink") checkSink(parts.worker, resolved, rows);
  else checkSource(resolved, rows);
  checkWhole(definition.config, resolved, "connector.class", rows);
  if (!rows.hasErrors()) await checkByPlugin(definition, { resolved, raw: config }, rows, signal);
  return rows.toInfos(definition.name, config);
}

type Check = (keys: readonly KeyDefinition[]) => void;

function checkTransforms(plugins: PluginRegistry, config: StringMap, rows: Rows, check: Check): void {
  const predicates = key.splitList(config["predicates"]);
  for (const alias of key.splitList(config["transforms"])) {
    const prefix = `transforms.${alias}.`;
    check(prefixed(TRANSFORM_KEYS, prefix, `Transforms: ${alias}`));
    checkPlugin(
      () => plugins.transform(config[`${prefix}type`] ?? ""),
      config,
      prefix,
      `Transforms: ${alias}`,
      rows,
      check,
    );
    const predicate = config[`${prefix}predicate`] ?? "";
    if (predicate !== "" && !predicates.includes(predicate)) {
      const message = `Invalid value ${predicate} for configuration ${prefix}predicate: must be one of the configured predicate aliases: ${predicates.join(", ")}`;
      rows.error(`${prefix}predicate`, message);
    }
    if (predicate === "" && config[`${prefix}negate`] !== undefined) {
      rows.error(`${prefix}negate`, `${prefix}negate must not be set without ${prefix}predicate`);
    }
  }
  for (const alias of predicates) {
    const prefix = `predicates.${alias}.`;
    check(prefixed(PREDICATE_KEYS, prefix, `Predicates: ${alias}`));
    checkPlugin(
      () => plugins.predicate(config[`${prefix}type`] ?? ""),
      config,
      prefix,
      `Predicates: ${alias}`,
      rows,
      check,
    );
  }
}

/** The plugin of a transform or predicate alias, and its own keys. */
function checkPlugin(
  find: () => PluginDefinition,
  config: StringMap,
  prefix: string,
  group: string,
  rows: Rows,
  check: Check,
): void {
  const name = config[`${prefix}type`];
  if (name === undefined) return;
  const plugin = findOrReport(find, `${prefix}type`, name, rows);
  if (plugin === null) return;
  check(prefixed(plugin.config, prefix, group));
  checkWhole(plugin.config, below(config, prefix), `${prefix}type`, rows);
}

/** The connector's own choice only: what the worker says was checked when the worker started. */
function checkConverter(
  { plugins, worker }: ValidationParts,
  use: ConverterUse,
  config: StringMap,
  rows: Rows,
  check: Check,
): void {
  const name = `${use}.converter`;
  const own = config[name]?.trim() ?? "";
  if (own === "") {
    if (chooseConverter(use, worker, config) === null) {
      rows.error(name, `Missing required configuration "${name}" which has no default value.`);
    }
    return;
  }
  const find = () => (use === "header" ? plugins.headerConverter(own) : plugins.converter(own));
  const plugin = findOrReport(find, name, own, rows);
  if (plugin === null) return;
  check(prefixed(plugin.config, `${name}.`, null));
  checkWhole(plugin.config, below(config, `${name}.`), name, rows);
}

function findOrReport(find: () => PluginDefinition, key: string, name: string, rows: Rows): PluginDefinition | null {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    rows.error(key, `Invalid value ${name} for configuration ${key}: ${error.message}`);
    return null;
  }
}

/** What a schema says about several keys together, once each of them is right. */
function checkWhole(schema: z.ZodObject, config: StringMap, row: string, rows: Rows): void {
  const result = schema.safeParse(config);
  if (result.success) return;
  for (const issue of result.error.issues) if (issue.path.length === 0) rows.error(row, issue.message);
}

/** Source: org.apache.kafka.connect.runtime.SinkConnectorConfig.validate, AbstractHerder.validateSinkConnectorGroupId. */
function checkSink(worker: StringMap, config: StringMap, rows: Rows): void {
  const topics = key.splitList(config["topics"]);
  const regex = config["topics.regex"]?.trim() ?? "";
  const both = (message: string) => {
    rows.error("topics", message);
    rows.error("topics.regex", message);
  };
  if (topics.length === 0 && regex === "") both("Must configure one of topics or topics.regex");
  if (topics.length > 0 && regex !== "")
    both("topics and topics.regex are mutually exclusive options, but both are set.");
  const pattern = compile(regex);
  if (pattern === null)
    rows.error("topics.regex", `Invalid value ${regex} for configuration topics.regex: Invalid regex`);
  const dlq = config["errors.deadletterqueue.topic.name"]?.trim() ?? "";
  if (dlq !== "" && topics.includes(dlq)) {
    rows.error(
      "topics",
      `The DLQ topic '${dlq}' may not be included in the list of topics ('topics=${topics.join(",")}') consumed by the connector`,
    );
  }
  if (dlq !== "" && regex !== "" && pattern?.test(dlq) === true) {
    rows.error(
      "topics.regex",
      `The DLQ topic '${dlq}' may not be included in the regex matching the topics ('topics.regex=${regex}') consumed by the connector`,
    );
  }
  const group = config["consumer.override.group.id"] ?? `connect-${config["name"] ?? ""}`;
  if (group === worker["group.id"]) {
    rows.error("name", `Consumer group ${group} conflicts with the Connect worker group`);
  }
}

function compile(regex: string): RegExp | null {
  try {
    return key.fullMatch(regex);
  } catch {
    return null;
  }
}

function checkSource(config: StringMap, rows: Rows): void {
  if (config["exactly.once.support"]?.trim().toLowerCase() === "required") {
    rows.error("exactly.once.support", "This worker does not have exactly-once source support enabled.");
  }
  if (config["offsets.storage.topic"] !== undefined) {
    rows.error(
      "offsets.storage.topic",
      "This worker keeps all offsets in its own topic; remove offsets.storage.topic.",
    );
  }
  try {
    parseTopicCreation(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    rows.error("topic.creation.groups", error.message);
  }
}

/** The connector's own `validate`, which may look at the outside world. */
async function checkByPlugin(
  definition: ConnectorDefinition,
  { resolved, raw }: { readonly resolved: StringMap; readonly raw: StringMap },
  rows: Rows,
  signal: AbortSignal,
): Promise<void> {
  if (definition.validate === undefined) return;
  const errors = await definition.validate(definition.config.parse(resolved), signal);
  for (const [name, messages] of Object.entries(errors)) {
    for (const message of messages) rows.error(name, hideResolved(message, resolved, raw));
  }
}

/** Shorter values are too likely to stand in a message by chance. */
const SHORTEST_SECRET = 4;

/** Resolved values go back to their placeholders. */
function hideResolved(message: string, resolved: StringMap, raw: StringMap): string {
  let hidden = message;
  for (const [key, value] of Object.entries(resolved)) {
    const rawValue = raw[key] ?? "";
    if (value.length >= SHORTEST_SECRET && hasPlaceholder(rawValue)) hidden = hidden.replaceAll(value, rawValue);
  }
  return hidden;
}

/** A plugin's keys as they stand in a connector's configuration. */
function prefixed(schema: z.ZodObject, prefix: string, group: string | null): readonly KeyDefinition[] {
  return describeKeys(schema).map((key) => ({
    ...key,
    info: { ...key.info, name: `${prefix}${key.info.name}`, group: key.info.group ?? group },
  }));
}

/** A plugin's keys, then (connectors) those that every connector has: `GET /connector-plugins/{p}/config`. */
export function configDefOf(definition: PluginDefinition): readonly ConfigKeyInfo[] {
  const own = describeKeys(definition.config).map((key) => key.info);
  if (definition.kind !== "source" && definition.kind !== "sink") return own;
  const names = new Set(own.map((info) => info.name));
  const common = describeKeys(definition.kind === "source" ? SOURCE_KEYS : SINK_KEYS).map((key) => key.info);
  return [...own, ...common.filter((info) => !names.has(info.name))];
}
