import type { ConnectorType, StringMap } from "@headrace/contract";
import type { PluginEntry } from "../executor/pool.ts";
import { compareVersions, parseVersionRange, problemOfRange } from "../plugins/version.ts";

/** The plugins of this worker by every name under which users know them. */
export interface Catalog {
  readonly plugins: readonly PluginEntry[];
  /** By full name, alias, simple name, or simple name without `Connector`; null if there is none. */
  find(name: string): PluginEntry | null;
  connectorType(connectorClass: string | undefined): ConnectorType;
  /** The version that a connector with this raw configuration gets; null if there is none, or if it cannot be told. */
  versionOf(config: StringMap): string | null;
}

/** Creates a catalog; the first plugin of a name wins. */
export function createCatalog(plugins: readonly PluginEntry[]): Catalog {
  const byName = new Map<string, PluginEntry>();
  for (const plugin of plugins) {
    for (const name of [plugin.class, ...plugin.aliases].flatMap(names)) {
      if (!byName.has(name)) byName.set(name, plugin);
    }
  }
  const find = (name: string) => byName.get(name.trim()) ?? null;
  return {
    plugins,
    find,
    connectorType(connectorClass) {
      const type = connectorClass === undefined ? undefined : find(connectorClass)?.type;
      return type === "source" || type === "sink" ? type : "unknown";
    },
    versionOf(config) {
      const found = find(config["connector.class"] ?? "");
      const wanted = config["connector.plugin.version"];
      if (found === null || problemOfRange(wanted) !== null) return null;
      const range = parseVersionRange(wanted);
      const versions = plugins.flatMap((plugin) =>
        plugin.class === found.class && plugin.type === found.type && plugin.version !== undefined
          ? [plugin.version]
          : [],
      );
      return (
        versions.toSorted(compareVersions).findLast((version) => range === null || range.includes(version)) ?? null
      );
    },
  };
}

function names(full: string): readonly string[] {
  const simple = full.slice(full.lastIndexOf(".") + 1);
  return [full, simple, simple.replace(/Connector$/, "")];
}
