import type { ConfigInfos, ConfigKeyInfo, PluginInfo, StringMap } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { ExecutorPool } from "../executor/pool.ts";
import type { Catalog } from "./catalog.ts";
import type { RequestScope } from "./request-scope.ts";

/** What can be asked of the plugins themselves; their code answers in an executor without tasks. */
export interface PluginQueries {
  list(connectorsOnly: boolean): readonly PluginInfo[];
  configDef(plugin: string, scope: RequestScope): Promise<readonly ConfigKeyInfo[]>;
  validate(plugin: string, config: StringMap, scope: RequestScope): Promise<ConfigInfos>;
}

const ORDER = ["sink", "source", "transformation", "predicate", "converter", "header_converter"];

/** Creates the queries. */
export function createPluginQueries(options: {
  readonly catalog: () => Catalog;
  readonly pool: Pick<ExecutorPool, "configDef" | "validate">;
}): PluginQueries {
  const { catalog, pool } = options;
  return {
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
    configDef(plugin, scope) {
      const found = catalog().find(plugin);
      if (found === null) throw new ConnectError("not-found", `Unknown plugin ${plugin}.`);
      scope.enter(`reading the configuration keys of plugin ${plugin}`);
      return pool.configDef(found.class, scope.signal);
    },
    validate(plugin, config, scope) {
      const included = config["connector.class"];
      if (included === undefined) {
        throw new ConnectError("bad-request", "Connector config contains no connector type");
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
