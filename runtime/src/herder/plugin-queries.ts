import type { ConfigInfos, ConfigKeyInfo, PluginInfo } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { ExecutorPool } from "../executor/pool.ts";
import type { Catalog } from "./catalog.ts";
import type { RequestScope } from "./request-scope.ts";

/** A package of plugins, or a directory that should be one. */
export interface PackageState {
  readonly directory: string;
  readonly name: string | null;
  readonly version: string | null;
  /** Names of its plugins. */
  readonly plugins: readonly string[];
  /** null: it can be used. */
  readonly problem: string | null;
}

/** What can be asked of the plugins themselves; their code answers in an executor without tasks. */
export interface PluginQueries {
  /** The packages of `plugin.path`, those that cannot be used with the reason. */
  packages(): readonly PackageState[];
  list(connectorsOnly: boolean): readonly PluginInfo[];
  /** `version`: exact or a range; null: the latest. */
  configDef(plugin: string, version: string | null, scope: RequestScope): Promise<readonly ConfigKeyInfo[]>;
  /** Null values are reported as errors of their keys. */
  validate(plugin: string, config: Readonly<Record<string, string | null>>, scope: RequestScope): Promise<ConfigInfos>;
}

const ORDER = ["sink", "source", "transformation", "predicate", "converter", "header_converter"];

/** Creates the queries. */
export function createPluginQueries(options: {
  readonly catalog: () => Catalog;
  readonly pool: Pick<ExecutorPool, "configDef" | "validate">;
  readonly packages: () => readonly PackageState[];
}): PluginQueries {
  const { catalog, pool } = options;
  return {
    packages: options.packages,
    list(connectorsOnly) {
      const wanted = connectorsOnly ? ORDER.slice(0, 2) : ORDER;
      return wanted.flatMap((type) =>
        catalog()
          .plugins.filter((plugin) => plugin.type === type)
          .toSorted((a, b) => (a.class < b.class ? -1 : 1))
          .map((plugin) => ({
            class: plugin.class,
            type: plugin.type,
            ...(plugin.version === undefined ? {} : { version: plugin.version }),
          })),
      );
    },
    configDef(plugin, version, scope) {
      const found = catalog().find(plugin);
      if (found === null) throw new ConnectError("not-found", `Unknown plugin ${plugin}.`);
      scope.enter(`reading the configuration keys of plugin ${plugin}`);
      return pool.configDef(found.class, version, scope.signal);
    },
    validate(plugin, config, scope) {
      const included = config["connector.class"];
      if (included === undefined || included === null) {
        const shown = Object.entries(config).map(([key, value]) => `${key}=${value}`);
        throw new ConnectError("bad-request", `Connector config {${shown.join(", ")}} contains no connector type`);
      }
      const asked = catalog().find(plugin);
      const same = asked === null ? included === plugin : catalog().find(included) === asked;
      if (!same) {
        throw new ConnectError(
          "bad-request",
          `Included connector type ${included} does not match request type ${plugin}`,
        );
      }
      scope.enter(`validating a configuration of plugin ${plugin}`);
      return pool.validate(config, scope.signal);
    },
  };
}
