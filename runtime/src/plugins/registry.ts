import type { PluginInfo } from "@headrace/contract";
import {
  ConfigError,
  type ConverterDefinition,
  type PredicateDefinition,
  type SinkDefinition,
  type SourceDefinition,
  type TransformDefinition,
} from "@headrace/sdk";

export type ConnectorDefinition = SourceDefinition | SinkDefinition;

/** Anything that a `define…` function of the sdk returns. */
export type PluginDefinition = ConnectorDefinition | ConverterDefinition | TransformDefinition | PredicateDefinition;

/** A converter that can also convert headers. */
export type HeaderConverterDefinition = ConverterDefinition & Required<Pick<ConverterDefinition, "compileHeader">>;

/**
 * The plugins of this process by every name that a configuration may use: their own, their aliases, and of a Java class name also the
 * simple name, with or without the suffix of its kind. Lookups throw ConfigError in Connect's words.
 */
export interface PluginRegistry {
  connector(name: string): ConnectorDefinition;
  converter(name: string): ConverterDefinition;
  headerConverter(name: string): HeaderConverterDefinition;
  transform(name: string): TransformDefinition;
  predicate(name: string): PredicateDefinition;
  /** A plugin of any kind; throws `Unknown plugin X.` */
  any(name: string): PluginDefinition;
  /** As `GET /connector-plugins?connectorsOnly=false` lists them: sinks, sources, transformations, predicates, converters, header converters. */
  list(): readonly PluginEntry[];
}

export type PluginEntry = PluginInfo & { readonly aliases: readonly string[] };

type Kind = PluginDefinition["kind"];
type OfKind<K extends Kind> = Extract<PluginDefinition, { kind: K }>;

/** Suffixes that Java leaves out of a plugin's short alias (PluginUtils.prunedName). */
const SUFFIX = {
  source: "Connector",
  sink: "Connector",
  converter: "Converter",
  transform: "Transformation",
  predicate: "Predicate",
} as const satisfies Record<Kind, string>;

/** Builds the registry. Throws if two plugins of one kind share their own name. */
export function createPluginRegistry(definitions: readonly PluginDefinition[]): PluginRegistry {
  const names = new Map<string, Set<PluginDefinition>>();
  for (const definition of definitions) {
    for (const name of namesOf(definition)) {
      const known = names.get(name);
      if (known === undefined) names.set(name, new Set([definition]));
      else known.add(definition);
    }
  }
  for (const definition of definitions) {
    const namesakes = definitions.filter((other) => other.kind === definition.kind && other.name === definition.name);
    if (namesakes.length > 1) throw new Error(`two plugins of kind ${definition.kind} are named ${definition.name}`);
  }

  function matches<K extends Kind>(name: string, kinds: readonly K[]): OfKind<K>[] {
    return [...(names.get(name) ?? [])].filter((found): found is OfKind<K> =>
      kinds.some((kind) => kind === found.kind),
    );
  }

  function one<K extends Kind>(name: string, kinds: readonly K[], notFound: () => string): OfKind<K> {
    const found = matches(name, kinds);
    const [first] = found;
    if (first === undefined) throw new ConfigError(notFound());
    if (found.length > 1) {
      const classes = found.map((definition) => definition.name).join(", ");
      throw new ConfigError(
        `More than one connector matches alias ${name}. Please use full package and class name instead. Classes found: ${classes}`,
      );
    }
    return first;
  }

  const classNotFound = (name: string) => () => `Class ${name} could not be found.`;
  return {
    connector: (name) =>
      one(name, ["source", "sink"], () => {
        const available = definitions.filter((each) => each.kind === "source" || each.kind === "sink");
        return `Failed to find any class that implements Connector and which name matches ${name}, available connectors are: ${available.map((each) => each.name).join(", ")}`;
      }),
    converter: (name) => one(name, ["converter"], classNotFound(name)),
    headerConverter(name) {
      const found = one(name, ["converter"], classNotFound(name));
      if (!hasHeaders(found)) throw new ConfigError(`Class ${name} is not a HeaderConverter.`);
      return found;
    },
    transform: (name) => one(name, ["transform"], classNotFound(name)),
    predicate: (name) => one(name, ["predicate"], classNotFound(name)),
    any(name) {
      const [found] = names.get(name) ?? [];
      if (found === undefined) throw new ConfigError(`Unknown plugin ${name}.`);
      return found;
    },
    list: () => listPlugins(definitions),
  };
}

function hasHeaders(definition: ConverterDefinition): definition is HeaderConverterDefinition {
  return definition.compileHeader !== undefined;
}

function namesOf(definition: PluginDefinition): Set<string> {
  const names = new Set([definition.name]);
  for (const alias of definition.aliases ?? []) {
    names.add(alias);
    const simple = alias.slice(alias.lastIndexOf(".") + 1);
    names.add(simple);
    const suffix = SUFFIX[definition.kind];
    if (simple.endsWith(suffix) && simple.length > suffix.length) names.add(simple.slice(0, -suffix.length));
  }
  return names;
}

function listPlugins(definitions: readonly PluginDefinition[]): readonly PluginEntry[] {
  const groups = [
    { kind: "sink", type: "sink" },
    { kind: "source", type: "source" },
    { kind: "transform", type: "transformation" },
    { kind: "predicate", type: "predicate" },
    { kind: "converter", type: "converter" },
  ] as const;
  const entries: PluginEntry[] = groups.flatMap(({ kind, type }) =>
    definitions.filter((each) => each.kind === kind).map((each) => toEntry(each, type)),
  );
  const headerConverters = definitions.filter((each) => each.kind === "converter" && hasHeaders(each));
  return [...entries, ...headerConverters.map((each) => toEntry(each, "header_converter"))];
}

function toEntry(definition: PluginDefinition, type: PluginInfo["type"]): PluginEntry {
  const aliases = [...namesOf(definition)].filter((name) => name !== definition.name);
  return { class: definition.name, type, version: definition.version, aliases };
}
