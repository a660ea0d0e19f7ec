import type { ConfigInfos, StringMap } from "@headrace/contract";
import { ConnectError } from "../errors.ts";

/** Throws the contract's 400 (§5.3) if the plugin found errors in a connector's configuration. */
export function requireValid(infos: ConfigInfos): void {
  if (infos.error_count === 0) return;
  const errors = infos.configs.flatMap(({ value }) => value.errors);
  const lines = [
    `Connector configuration is invalid and contains the following ${infos.error_count} error(s):`,
    ...errors,
    "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
  ];
  throw new ConnectError("bad-request", lines.join("\n"));
}

/**
 * The configuration with `name` in it. Throws the contract's 400 if a name is there already and is another one (§5.3). A missing name
 * stays missing: the plugin's validation says so.
 */
export function withName(config: StringMap, name: string): StringMap {
  const own = config["name"];
  if (own === undefined) return name === "" ? config : { ...config, name };
  if (own !== name) {
    throw new ConnectError(
      "bad-request",
      `Connector name configuration (${own}) doesn't match connector name in the URL (${name})`,
    );
  }
  return config;
}
