import type { StringMap } from "@headrace/contract";
import { ConfigError, type ConnectRecord, config as key } from "@headrace/sdk";
import type { PipelineParts, TransformStep } from "../task/record-pipeline.ts";
import { parseConfig } from "./config-def.ts";
import { below, PREDICATE_KEYS, TRANSFORM_KEYS } from "./connector-keys.ts";
import type { PluginRegistry } from "./registry.ts";

/** Used where neither connector nor worker names a header converter. */
const DEFAULT_HEADER_CONVERTER = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

export type ConverterUse = "key" | "value" | "header";

/** A converter by name. */
export interface ConverterChoice {
  readonly plugin: string;
  /** Exact or a range; not given: the latest. */
  readonly version: string | undefined;
  readonly config: StringMap;
}

/**
 * Which converter a connector uses, and its configuration: the connector's own with the connector's sub-properties, or the worker's
 * with the worker's; never a mixture (contract §6.4). Null: none is configured.
 */
export function chooseConverter(use: ConverterUse, worker: StringMap, connector: StringMap): ConverterChoice | null {
  const name = `${use}.converter`;
  const type = use === "header" ? "header" : use;
  for (const source of [connector, worker]) {
    const plugin = source[name]?.trim();
    if (plugin !== undefined && plugin !== "") {
      return {
        plugin,
        version: source[`${name}.plugin.version`],
        config: { ...below(source, `${name}.`), "converter.type": type },
      };
    }
  }
  return use === "header"
    ? { plugin: DEFAULT_HEADER_CONVERTER, version: undefined, config: { "converter.type": type } }
    : null;
}

/** Compiles the transforms and converters of a connector. Both configurations are resolved. Throws ConfigError. */
export function compilePipeline(registry: PluginRegistry, worker: StringMap, connector: StringMap): PipelineParts {
  return {
    transforms: compileTransforms(registry, connector),
    key: compileConverter(registry, "key", worker, connector),
    value: compileConverter(registry, "value", worker, connector),
    header: compileHeaderConverter(registry, worker, connector),
  };
}

function compileConverter(registry: PluginRegistry, use: "key" | "value", worker: StringMap, connector: StringMap) {
  const chosen = chooseConverter(use, worker, connector);
  if (chosen === null)
    throw new ConfigError(`Missing required configuration "${use}.converter" which has no default value.`);
  const definition = registry.converter(chosen.plugin, chosen.version);
  const config = parseOrThrow(definition.config, chosen.config, `${use}.converter`);
  return { plugin: chosen.plugin, converter: definition.compile(config, use === "key") };
}

function compileHeaderConverter(registry: PluginRegistry, worker: StringMap, connector: StringMap) {
  const chosen = chooseConverter("header", worker, connector);
  const plugin = chosen?.plugin ?? DEFAULT_HEADER_CONVERTER;
  const definition = registry.headerConverter(plugin, chosen?.version);
  const config = parseOrThrow(definition.config, chosen?.config ?? {}, "header.converter");
  return { plugin, converter: definition.compileHeader(config) };
}

function compileTransforms(registry: PluginRegistry, connector: StringMap): readonly TransformStep[] {
  return key.splitList(connector["transforms"]).map((alias) => {
    const own = below(connector, `transforms.${alias}.`);
    const common = parseOrThrow(TRANSFORM_KEYS, own, `transforms.${alias}`);
    const definition = registry.transform(common.type, common["plugin.version"]);
    const config = parseOrThrow(definition.config, own, `transforms.${alias}`);
    return {
      plugin: common.type,
      apply: definition.compile(config),
      when:
        (common.predicate ?? "") === ""
          ? null
          : compilePredicate(registry, connector, common.predicate ?? "", common.negate),
    };
  });
}

function compilePredicate(
  registry: PluginRegistry,
  connector: StringMap,
  alias: string,
  negate: boolean,
): (record: ConnectRecord) => boolean {
  const own = below(connector, `predicates.${alias}.`);
  const common = parseOrThrow(PREDICATE_KEYS, own, `predicates.${alias}`);
  const definition = registry.predicate(common.type, common["plugin.version"]);
  const test = definition.compile(parseOrThrow(definition.config, own, `predicates.${alias}`));
  return negate ? (record) => !test(record) : test;
}

function parseOrThrow<S extends Parameters<typeof parseConfig>[0]>(schema: S, config: StringMap, where: string) {
  const parsed = parseConfig(schema, config);
  if ("problems" in parsed) throw new ConfigError(`${where}: ${parsed.problems.join("; ")}`);
  return parsed.value;
}
