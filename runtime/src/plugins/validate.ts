import { type ConfigInfos, type ConfigKeyInfo, EXECUTOR_MEMORY_KEY, type StringMap } from "@headrace/contract";
import type { ConfigResolver } from "../config-providers/resolver.ts";
import { ConnectError } from "../errors.ts";
import { memoryLimitFault } from "../executor/memory-limit.ts";
import { checkExactlyOnce, checkSink, checkSource } from "./check-connector.ts";
import { checkOverrides } from "./check-overrides.ts";
import { checkAliases, checkConverter, checkWhole, withWorker } from "./check-pipeline.ts";
import { describeKeys } from "./config-def.ts";
import { ADDED_KEYS, SINK_KEYS, SOURCE_KEYS } from "./connector-keys.ts";
import { type ConnectorDefinition, type PluginDefinition, type PluginRegistry, VersionError } from "./registry.ts";
import { type GivenConfig, Rows } from "./rows.ts";

export interface ValidationParts {
  readonly plugins: PluginRegistry;
  readonly worker: StringMap;
  readonly resolver: Pick<ConfigResolver, "resolve">;
}

/**
 * Checks a connector's configuration, as `PUT /connector-plugins/{p}/config/validate` answers it (contract §5.4). Resolved values are
 * checked, raw ones are shown. Throws if there is no such connector, or if a value cannot be resolved.
 * Source: AbstractHerder.validateConnectorConfig.
 */
export async function validateConfig(
  parts: ValidationParts,
  given: GivenConfig,
  signal: AbortSignal,
): Promise<ConfigInfos> {
  const { plugins, resolver, worker } = parts;
  const raw = Object.fromEntries(
    Object.entries(given).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  );
  const resolved = await resolver.resolve(raw, signal);
  const className = resolved["connector.class"]?.trim();
  if (className === undefined) {
    const shown = Object.entries(given).map(([key, value]) => `${key}=${value}`);
    throw new ConnectError("bad-request", `Connector config {${shown.join(", ")}} contains no connector type`);
  }
  const rows = new Rows({ given, resolved });
  const found = findConnector(plugins, className, resolved["connector.plugin.version"]);
  const definition = "problem" in found ? null : found;
  const kind = definition?.kind ?? plugins.connector(className).kind;
  const pipeline = { plugins, worker, config: resolved };
  rows.check(withWorker(describeKeys(kind === "source" ? SOURCE_KEYS : SINK_KEYS), { ...pipeline, given }));
  if (definition === null) {
    if ("problem" in found)
      for (const key of ["connector.class", "connector.plugin.version"]) rows.error(key, found.problem);
    rows.reportNulls();
    return rows.toInfos(className);
  }
  checkAliases(plugins, resolved, rows);
  rows.check(describeKeys(definition.config));
  for (const use of ["key", "value", "header"] as const) checkConverter(pipeline, use, rows);
  if (kind === "sink") checkSink(worker, resolved, rows);
  else checkSource(resolved, rows);
  if (definition.kind === "source") checkExactlyOnce(worker, definition, resolved, rows);
  checkOverrides(kind, resolved, worker, rows);
  const memoryFault = memoryLimitFault(raw);
  if (memoryFault !== null) rows.error(EXECUTOR_MEMORY_KEY, memoryFault);
  rows.reportNulls();
  checkWhole(definition.config, resolved, { row: "connector.class", prefix: "", rows });
  if (!rows.hasErrors()) await checkByPlugin(definition, resolved, rows, signal);
  return rows.toInfos(className);
}

/** The connector, or what is wrong with the version that was asked for. */
function findConnector(
  plugins: PluginRegistry,
  name: string,
  version: string | undefined,
): ConnectorDefinition | { readonly problem: string } {
  try {
    return plugins.connector(name, version);
  } catch (error) {
    if (error instanceof VersionError) return { problem: error.message };
    throw error;
  }
}

/** The connector's own `validate`, which may look at the outside world. */
async function checkByPlugin(
  definition: ConnectorDefinition,
  resolved: StringMap,
  rows: Rows,
  signal: AbortSignal,
): Promise<void> {
  if (definition.validate === undefined) return;
  const errors = await definition.validate(definition.config.parse(resolved), signal);
  for (const [name, messages] of Object.entries(errors)) {
    for (const message of messages) rows.error(name, message);
  }
}

/** A plugin's keys, then (connectors) those that every connector has: `GET /connector-plugins/{p}/config`. */
export function configDefOf(plugins: PluginRegistry, definition: PluginDefinition): readonly ConfigKeyInfo[] {
  const own = describeKeys(definition.config).map((key) => key.info);
  if (definition.kind !== "source" && definition.kind !== "sink") return own;
  const names = new Set(own.map((info) => info.name));
  const keys = [...describeKeys(definition.kind === "source" ? SOURCE_KEYS : SINK_KEYS), ...describeKeys(ADDED_KEYS)];
  const version = plugins.versions(definition.name).at(-1) ?? definition.version;
  const common = keys.map(({ info }) =>
    info.name === "connector.plugin.version" ? { ...info, default_value: version } : info,
  );
  return [...own, ...common.filter((info) => !names.has(info.name))];
}
