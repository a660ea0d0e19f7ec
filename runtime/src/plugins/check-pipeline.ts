import type { StringMap } from "@headrace/contract";
import { ConfigError } from "@headrace/sdk";
import type { z } from "zod";
import { type ConverterUse, chooseConverter } from "./compile-pipeline.ts";
import { checkKeys, describeKeys, type KeyDefinition } from "./config-def.ts";
import { below, PREDICATE_KEYS, TRANSFORM_KEYS } from "./connector-keys.ts";
import { type PluginDefinition, type PluginRegistry, VersionError } from "./registry.ts";
import type { GivenConfig, Rows } from "./rows.ts";
import { problemOfRange } from "./version.ts";

/** The rows of transformations and predicates, alias by alias. Source: ConnectorConfig.enrich. */
export function checkAliases(plugins: PluginRegistry, config: StringMap, rows: Rows): void {
  const predicates = aliasesOf(config["predicates"]);
  for (const alias of aliasesOf(config["transforms"])) {
    const prefix = `transforms.${alias}.`;
    const transformation = { what: "Transformation", prefix, alias, group: `Transforms: ${alias}` };
    const common = describeKeys(TRANSFORM_KEYS);
    checkAlias({ ...transformation, plugins, config, rows }, common, (name, version) =>
      plugins.transform(name, version),
    );
    const predicate = config[`${prefix}predicate`];
    if (!rows.isGiven(`${prefix}predicate`) && rows.isGiven(`${prefix}negate`)) {
      rows.error(
        `${prefix}type`,
        `Config '${prefix}negate' was provided but there is no config '${prefix}predicate' defining a predicate to be negated.`,
      );
    }
    if (predicate !== undefined && predicate.trim() !== "" && !predicates.includes(predicate.trim())) {
      rows.error(
        `${prefix}predicate`,
        `Invalid value ${predicate} for configuration ${prefix}predicate: must be one of the configured predicate aliases: ${predicates.join(", ")}`,
      );
    }
  }
  for (const alias of predicates) {
    const prefix = `predicates.${alias}.`;
    const predicate = { what: "Predicate", prefix, alias, group: `Predicates: ${alias}` };
    checkAlias({ ...predicate, plugins, config, rows }, describeKeys(PREDICATE_KEYS), (name, version) =>
      plugins.predicate(name, version),
    );
  }
}

interface Alias {
  readonly what: string;
  readonly prefix: string;
  readonly alias: string;
  readonly group: string;
  readonly plugins: PluginRegistry;
  readonly config: StringMap;
  readonly rows: Rows;
}

function checkAlias(
  alias: Alias,
  common: readonly KeyDefinition[],
  find: (name: string, version: string | undefined) => PluginDefinition,
): void {
  const { prefix, plugins, config, rows, what } = alias;
  const given = config[`${prefix}type`];
  const name = given?.trim();
  const versions = name !== undefined && isOfThisKind(() => find(name, undefined)) ? plugins.versions(name) : [];
  const type = what === "Transformation" ? "transformation" : "predicate";
  const [own, versionKey, ...rest] = common.map((key) => placed(key, alias));
  if (own === undefined || versionKey === undefined) throw new Error("an alias has a type and a version");
  const classes = plugins.list().flatMap((entry) => (entry.type === type ? [entry.class] : []));
  rows.check([
    { ...own, recommended: [...new Set(classes)].toSorted() },
    withDefault({ ...versionKey, recommended: versions }, versions.at(-1) ?? null),
  ]);
  if (name === undefined || given === undefined) return;
  const version = config[`${prefix}plugin.version`];
  const plugin = findOrReport(() => find(name, version), { key: `${prefix}type`, given, plugins, rows });
  if (plugin === null) return;
  const masked = new Set(common.map(({ info }) => info.name));
  const plugged = describeKeys(plugin.config).filter(({ info }) => !masked.has(info.name));
  const keys = [...plugged.map((key) => placed(key, alias)), ...rest].toSorted(byImportance);
  rows.check(keys.map((key, index) => ({ ...key, info: { ...key.info, order_in_group: index + 2 } })));
  checkWhole(plugin.config, below(config, prefix), { row: `${prefix}type`, prefix, rows });
}

function isOfThisKind(find: () => PluginDefinition): boolean {
  try {
    find();
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false; // Reported when it is looked up for its keys.
    throw error;
  }
}

/** A plugin's key as it stands in a connector's configuration. Java's validators know it without its prefix. */
function placed(key: KeyDefinition, { prefix, alias, group, what }: Alias): KeyDefinition {
  const name = `${prefix}${key.info.name}`;
  const title = key.info.display_name.startsWith(what);
  return {
    ...key,
    info: {
      ...key.info,
      name,
      group,
      display_name: title ? `${key.info.display_name} for ${alias}` : key.info.display_name,
    },
    called: { parsing: name, checking: key.info.type === "CLASS" ? name : key.info.name, missing: name },
  };
}

const IMPORTANCE = ["HIGH", "MEDIUM", "LOW"];

/** The order of Java's ConfigDef.sortedConfigs within a group. */
function byImportance({ info: a }: KeyDefinition, { info: b }: KeyDefinition): number {
  if (a.required !== b.required) return a.required ? -1 : 1;
  const order = IMPORTANCE.indexOf(a.importance) - IMPORTANCE.indexOf(b.importance);
  return order !== 0 ? order : a.name < b.name ? -1 : 1;
}

/** What a pipeline is made of; configurations are resolved. */
interface PipelineParts {
  readonly plugins: PluginRegistry;
  readonly worker: StringMap;
  readonly config: StringMap;
}

/** The framework's keys with what is known of this worker: its converters are the defaults, its plugins are recommended. */
export function withWorker(
  keys: readonly KeyDefinition[],
  parts: PipelineParts & { readonly given: GivenConfig },
): readonly KeyDefinition[] {
  const { plugins, worker, config, given } = parts;
  const entries = plugins.list();
  return keys.map((key) => {
    const { name } = key.info;
    const converter = /^(key|value|header)\.converter(\.plugin\.version)?$/.exec(name);
    if (name === "connector.plugin.version") {
      const versions = plugins.versions(config["connector.class"]?.trim() ?? "");
      return withDefault({ ...key, recommended: versions }, versions.at(-1) ?? null);
    }
    if (converter === null) return key;
    const use = converter[1] === "key" ? "key" : converter[1] === "value" ? "value" : "header";
    const chosen = chooseConverter(use, worker, {})?.plugin ?? null;
    if (converter[2] === undefined) {
      const type = use === "header" ? "header_converter" : "converter";
      const classes = entries.flatMap((entry) => (entry.type === type ? [entry.class] : []));
      return withDefault({ ...key, recommended: [...new Set(classes)].toSorted() }, chosen);
    }
    const versions = plugins.versions(config[`${use}.converter`]?.trim() ?? chosen ?? "");
    const recommended = given[`${use}.converter`] === null ? [] : versions;
    return withDefault({ ...key, recommended }, versions.at(-1) ?? null);
  });
}

function withDefault(key: KeyDefinition, value: string | null): KeyDefinition {
  return { ...key, info: { ...key.info, default_value: value } };
}

/** The connector's own choice only: what the worker says was checked when the worker started. */
export function checkConverter(parts: PipelineParts, use: ConverterUse, rows: Rows): void {
  const { plugins, worker, config } = parts;
  const key = `${use}.converter`;
  const given = config[key];
  if (given === undefined) {
    if (chooseConverter(use, worker, config) === null) {
      rows.error(key, `Missing required configuration "${key}" which has no default value.`);
    }
    if (rows.isGiven(key)) rows.hide(`${key}.plugin.version`);
    const unreadable = problemOfRange(config[`${key}.plugin.version`]);
    if (unreadable !== null) rows.error(`${key}.plugin.version`, unreadable);
    return;
  }
  const own = given.trim();
  const version = config[`${key}.plugin.version`];
  const find = () => (use === "header" ? plugins.headerConverter(own, version) : plugins.converter(own, version));
  const plugin = findOrReport(find, { key, given, plugins, rows });
  if (plugin === null) return;
  const keys = describeKeys(plugin.config).map((each) => ({
    ...each,
    info: { ...each.info, name: `${key}.${each.info.name}` },
    called: { parsing: each.info.name, checking: each.info.name, missing: each.info.name },
  }));
  rows.check(keys);
  rows.showAs(`${key}.converter.type`, use);
  const settings = { ...below(config, `${key}.`), "converter.type": use };
  checkWhole(plugin.config, settings, { row: key, prefix: `${key}.`, rows });
}

function findOrReport(
  find: () => PluginDefinition,
  at: { readonly key: string; readonly given: string; readonly plugins: PluginRegistry; readonly rows: Rows },
): PluginDefinition | null {
  const { key, given, plugins, rows } = at;
  const base = key.endsWith(".type") ? key.slice(0, -".type".length) : key;
  const className = plugins.classOf(given.trim());
  rows.showAs(key, className);
  if (className === null) {
    rows.error(key, `Invalid value ${given} for configuration ${key}: Class ${given} could not be found.`);
    if (base === key) rows.hide(`${base}.plugin.version`);
    return null;
  }
  try {
    return find();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (error instanceof VersionError) {
      rows.error(key, error.message);
      rows.error(`${base}.plugin.version`, error.message);
    } else if (error.message.includes("does not implement")) rows.error(key, error.message);
    else rows.error(key, `Invalid value ${given} for configuration ${key}: ${error.message}`);
    return null;
  }
}

/**
 * What a schema says about several keys together, once each of them is right: told at the key that it names, otherwise at `row`.
 * `prefix` is what the plugin's keys have before them in the connector's configuration.
 */
export function checkWhole(
  schema: z.ZodObject,
  config: StringMap,
  { row, prefix, rows }: { readonly row: string; readonly prefix: string; readonly rows: Rows },
): void {
  const result = schema.safeParse(config);
  if (result.success) return;
  const alone = new Set(checkKeys(describeKeys(schema), config).keys());
  for (const { path, message } of result.error.issues) {
    const [name] = path;
    // What is wrong with a key alone has its row already.
    if (name === undefined) rows.error(row, message);
    else if (!alone.has(String(name))) rows.error(`${prefix}${String(name)}`, message);
  }
}

/** Aliases as Java reads them: empty ones count, each once. */
function aliasesOf(text: string | undefined): readonly string[] {
  const trimmed = text?.trim() ?? "";
  return trimmed === "" ? [] : [...new Set(trimmed.split(/\s*,\s*/))];
}
