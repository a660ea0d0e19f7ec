import type { PluginInfo } from "@headrace/contract";
import { ConfigError, type Logger } from "@headrace/sdk";
import { loadPackage, toPackagedPlugin } from "./loader.ts";
import { namesOf } from "./plugin-names.ts";
import type { PackagedPlugin, PackageManifest, PluginPackage } from "./plugin-package.ts";
import { createPluginRegistry, type PluginDefinition, type PluginEntry, type PluginRegistry } from "./registry.ts";

/**
 * The plugins of one executor: those that are built in, and packages that are loaded when a configuration names one of their plugins.
 * Lookups see what is loaded; `list` and `versions` all that is known.
 */
export interface PluginStore extends PluginRegistry {
  /** From now on these are the packages. What is loaded of others stays for what uses it, and is not found any more. */
  use(packages: readonly PluginPackage[]): void;
  /** Loads the packages that know one of the names. One that fails is logged and left out. */
  ensure(names: Iterable<string>): Promise<void>;
  /** Loads a package to see what it has. Rejects with ConfigError. */
  probe(manifest: PackageManifest): Promise<readonly PackagedPlugin[]>;
}

/** Creates the store. */
export function createPluginStore(builtIn: readonly PluginDefinition[], log: () => Logger): PluginStore {
  /** By entry and fingerprint; a failed one is tried again. */
  const loads = new Map<string, Promise<readonly PluginDefinition[]>>();
  const loaded = new Map<string, readonly PluginDefinition[]>();
  let packages: readonly PluginPackage[] = [];
  let registry = createPluginRegistry(builtIn);

  const idOf = ({ entry, fingerprint }: PackageManifest) => `${entry}\n${fingerprint}`;

  const load = (manifest: PackageManifest): Promise<readonly PluginDefinition[]> => {
    const id = idOf(manifest);
    const known = loads.get(id);
    if (known !== undefined) return known;
    const loading = loadPackage(manifest);
    loads.set(id, loading);
    loading.catch(() => loads.delete(id));
    return loading;
  };

  const rebuild = () => {
    const current = packages.flatMap((each) => loaded.get(idOf(each)) ?? []);
    registry = createPluginRegistry([...builtIn, ...current], () =>
      packages.flatMap(({ plugins }) =>
        plugins.flatMap(({ kind, name }) => (kind === "source" || kind === "sink" ? [name] : [])),
      ),
    );
  };

  return {
    connector: (name, version) => registry.connector(name, version),
    converter: (name, version) => registry.converter(name, version),
    headerConverter: (name, version) => registry.headerConverter(name, version),
    transform: (name, version) => registry.transform(name, version),
    predicate: (name, version) => registry.predicate(name, version),
    any: (name, version) => registry.any(name, version),
    classOf: (name) => registry.classOf(name),
    versions: (name) => registry.versions(name),
    list: () => [...createPluginRegistry(builtIn).list(), ...packages.flatMap(entriesOf)],
    use(given) {
      packages = given;
      rebuild();
    },
    async ensure(names) {
      const wanted = new Set(names);
      const missing = packages.filter(
        (each) =>
          !loaded.has(idOf(each)) &&
          each.plugins.some((plugin) => [...namesOf(plugin)].some((name) => wanted.has(name))),
      );
      if (missing.length === 0) return;
      await Promise.all(
        missing.map(async (each) => {
          try {
            loaded.set(idOf(each), await load(each));
          } catch (error) {
            if (!(error instanceof ConfigError)) throw error;
            log().error({ package: each.name, version: each.version, error }, "plugin package cannot be loaded");
          }
        }),
      );
      rebuild();
    },
    probe: async (manifest) => (await load(manifest)).map(toPackagedPlugin),
  };
}

const TYPE = {
  sink: "sink",
  source: "source",
  transform: "transformation",
  predicate: "predicate",
  converter: "converter",
} as const satisfies Record<PackagedPlugin["kind"], PluginInfo["type"]>;

/** How the plugins of a package are listed. */
function entriesOf({ plugins }: PluginPackage): readonly PluginEntry[] {
  return plugins.flatMap((plugin) => {
    const aliases = [...namesOf(plugin)].filter((name) => name !== plugin.name);
    const entry = { class: plugin.name, version: plugin.version, aliases };
    const own = { ...entry, type: TYPE[plugin.kind] };
    return plugin.headers ? [own, { ...entry, type: "header_converter" as const }] : [own];
  });
}
