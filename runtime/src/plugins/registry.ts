import type { PluginInfo } from "@headrace/contract";
import {
  ConfigError,
  type ConverterDefinition,
  type PredicateDefinition,
  type SinkDefinition,
  type SourceDefinition,
  type TransformDefinition,
} from "@headrace/sdk";
import { classOf, namesOf, simpleNames } from "./plugin-names.ts";
import { compareVersions, parseVersionRange, problemOfRange, type VersionRange } from "./version.ts";

export type ConnectorDefinition = SourceDefinition | SinkDefinition;

/** Anything that a `define…` function of the sdk returns. */
export type PluginDefinition = ConnectorDefinition | ConverterDefinition | TransformDefinition | PredicateDefinition;

/** A converter that can also convert headers. */
export type HeaderConverterDefinition = ConverterDefinition & Required<Pick<ConverterDefinition, "compileHeader">>;

/**
 * The plugins of this process by every name that a configuration may use: their own, their aliases, and of a Java class name also the
 * simple name, with or without the suffix of its kind. Of several versions the latest that `version` (exact, or a range as Maven writes
 * it) admits is taken. Lookups throw ConfigError in Connect's words, {@link VersionError} if only the version is wrong.
 */
export interface PluginRegistry {
  connector(name: string, version?: string): ConnectorDefinition;
  converter(name: string, version?: string): ConverterDefinition;
  headerConverter(name: string, version?: string): HeaderConverterDefinition;
  transform(name: string, version?: string): TransformDefinition;
  predicate(name: string, version?: string): PredicateDefinition;
  /** A plugin of any kind; throws `Unknown plugin X.` */
  any(name: string, version?: string): PluginDefinition;
  /** What a plugin of any kind is called in messages, see {@link classOf}; null for a name that is not known. */
  classOf(name: string): string | null;
  /** Every version of a plugin, oldest first; none for a name that is not known. */
  versions(name: string): readonly string[];
  /** As `GET /connector-plugins?connectorsOnly=false` lists them: sinks, sources, transformations, predicates, converters, header converters. */
  list(): readonly PluginEntry[];
}

export type PluginEntry = PluginInfo & { readonly aliases: readonly string[] };

/** The plugin is there, the wanted version of it is not; or the wanted version cannot be read. */
export class VersionError extends ConfigError {}

type Kind = PluginDefinition["kind"];
type OfKind<K extends Kind> = Extract<PluginDefinition, { kind: K }>;

/** What Java's message calls the interface that a class of the wrong kind lacks. */
const INTERFACE = {
  source: "Connector",
  sink: "Connector",
  converter: "Converter",
  transform: "Transformation",
  predicate: "Predicate",
} as const satisfies Record<Kind, string>;

/**
 * Builds the registry. Of two plugins of one kind, name and version the first counts. `known` are names of connectors that could be
 * there as well, for the message of one that is not.
 */
export function createPluginRegistry(
  given: readonly PluginDefinition[],
  known: () => readonly string[] = () => [],
): PluginRegistry {
  const definitions = given.filter(
    (definition, index) => given.findIndex((other) => isSame(other, definition)) === index,
  );
  const exact = new Map<string, PluginDefinition[]>();
  const simple = new Map<string, PluginDefinition[]>();
  for (const definition of definitions) {
    for (const name of [definition.name, ...(definition.aliases ?? [])]) push(exact, name, definition);
    for (const name of simpleNames(definition)) push(simple, name, definition);
  }

  function matches<K extends Kind>(name: string, kinds: readonly K[]): readonly OfKind<K>[] {
    const ofKind = (found: PluginDefinition): found is OfKind<K> => kinds.some((kind) => kind === found.kind);
    const fully = (exact.get(name) ?? []).filter(ofKind);
    return fully.length > 0 ? fully : (simple.get(name) ?? []).filter(ofKind);
  }

  function one<K extends Kind>(
    name: string,
    version: string | undefined,
    kinds: readonly K[],
    notFound: () => string,
  ): OfKind<K> {
    const found = matches(name, kinds);
    if (found.length === 0) throw new ConfigError(notFound());
    const classes = new Set(found.map((definition) => definition.name));
    if (classes.size > 1) {
      throw new ConfigError(
        `More than one ${INTERFACE[kinds[0] ?? "source"].toLowerCase()} matches alias ${name}. Please use full package and class name instead. Classes found: ${[...classes].join(", ")}`,
      );
    }
    return pick(name, found, version);
  }

  /** What is said of a name that a plugin of another kind has; null: nobody has it. */
  const wrongKind = (name: string, wanted: string) => {
    const [found] = exact.get(name) ?? simple.get(name) ?? [];
    return found === undefined ? null : `Class class ${classOf(found)} does not implement the ${wanted} interface`;
  };
  const classNotFound = (name: string, kind: Kind) => () =>
    wrongKind(name, INTERFACE[kind]) ?? `Class ${name} could not be found.`;
  return {
    connector: (name, version) =>
      one(name, version, ["source", "sink"], () => {
        const available = definitions.filter((each) => each.kind === "source" || each.kind === "sink");
        const names = [...new Set([...available.map((each) => each.name), ...known()])];
        return `Failed to find any class that implements Connector and which name matches ${name}, available connectors are: ${names.join(", ")}`;
      }),
    converter: (name, version) => one(name, version, ["converter"], classNotFound(name, "converter")),
    headerConverter(name, version) {
      const wanted = "HeaderConverter";
      const notFound = () => wrongKind(name, wanted) ?? `Class ${name} could not be found.`;
      const found = one(name, version, ["converter"], notFound);
      if (!hasHeaders(found)) throw new ConfigError(wrongKind(name, wanted) ?? notFound());
      return found;
    },
    transform: (name, version) => one(name, version, ["transform"], classNotFound(name, "transform")),
    predicate: (name, version) => one(name, version, ["predicate"], classNotFound(name, "predicate")),
    any(name, version) {
      const found = exact.get(name) ?? simple.get(name) ?? [];
      const [first] = found;
      if (first === undefined) throw new ConfigError(`Unknown plugin ${name}.`);
      if (problemOfRange(version) !== null) throw new VersionError(`Invalid version specification: ${version}`);
      return pick(
        name,
        found.filter((each) => each.name === first.name && each.kind === first.kind),
        version,
      );
    },
    classOf(name) {
      const [found] = exact.get(name) ?? simple.get(name) ?? [];
      return found === undefined ? null : classOf(found);
    },
    versions(name) {
      const found = exact.get(name) ?? simple.get(name) ?? [];
      const [first] = found;
      return byVersion(found.filter((each) => each.name === first?.name && each.kind === first.kind)).map(
        (each) => each.version,
      );
    },
    list: () => listPlugins(definitions),
  };
}

/** The latest version that is admitted; what is shown of a Java class stays the name that was asked for. */
function pick<D extends PluginDefinition>(name: string, versions: readonly D[], wanted: string | undefined): D {
  const sorted = byVersion(versions);
  const range = readRange(wanted);
  const found = sorted.findLast((each) => range === null || range.includes(each.version));
  if (found !== undefined) return found;
  const available = sorted.map((each) => each.version).join(", ");
  const [first] = sorted;
  const plugin = first === undefined ? name : classOf(first);
  throw new VersionError(
    `Plugin ${plugin} not found that matches the version range ${range?.text ?? ""}, available versions: [${available}]`,
  );
}

function readRange(wanted: string | undefined): VersionRange {
  const problem = problemOfRange(wanted);
  if (problem !== null) throw new VersionError(problem);
  return parseVersionRange(wanted);
}

function byVersion<D extends PluginDefinition>(versions: readonly D[]): readonly D[] {
  return versions.toSorted((a, b) => compareVersions(a.version, b.version));
}

function isSame(a: PluginDefinition, b: PluginDefinition): boolean {
  return a.kind === b.kind && a.name === b.name && a.version === b.version;
}

function push(map: Map<string, PluginDefinition[]>, name: string, definition: PluginDefinition): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [definition]);
  else if (!list.includes(definition)) list.push(definition);
}

function hasHeaders(definition: ConverterDefinition): definition is HeaderConverterDefinition {
  return definition.compileHeader !== undefined;
}

const TYPE = {
  sink: "sink",
  source: "source",
  transform: "transformation",
  predicate: "predicate",
  converter: "converter",
} as const satisfies Record<Kind, PluginInfo["type"]>;

function listPlugins(definitions: readonly PluginDefinition[]): readonly PluginEntry[] {
  const kinds: readonly Kind[] = ["sink", "source", "transform", "predicate", "converter"];
  const entries = kinds.flatMap((kind) =>
    definitions.filter((each) => each.kind === kind).map((each) => toEntry(each, TYPE[kind])),
  );
  const headerConverters = definitions.filter((each) => each.kind === "converter" && hasHeaders(each));
  return [...entries, ...headerConverters.map((each) => toEntry(each, "header_converter"))];
}

function toEntry(definition: PluginDefinition, type: PluginInfo["type"]): PluginEntry {
  const aliases = [...namesOf(definition)].filter((name) => name !== definition.name);
  return { class: definition.name, type, version: definition.version, aliases };
}
