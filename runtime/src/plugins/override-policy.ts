import type { StringMap } from "@headrace/contract";
import { ConfigError, config as key } from "@headrace/sdk";

/**
 * Which client settings connectors may override (contract §6.6, KIP-458, KIP-1188).
 * Source: org.apache.kafka.connect.connector.policy.
 */
export interface OverridePolicy {
  readonly name: PolicyName;
  /** What is wrong with overriding this setting; null: nothing. `setting` comes without its prefix. */
  problem(setting: string): string | null;
}

export type PolicyName = "All" | "None" | "Principal" | "Allowlist";

/** The worker's keys that this file reads. */
export const POLICY_KEY = "connector.client.config.override.policy";
export const ALLOWLIST_KEY = "connector.client.config.override.allowlist";

const PACKAGE = "org.apache.kafka.connect.connector.policy.";
const SUFFIX = "ConnectorClientConfigOverridePolicy";
const NAMES = ["All", "None", "Principal", "Allowlist"] as const;
const PRINCIPAL: ReadonlySet<string> = new Set(["security.protocol", "sasl.mechanism", "sasl.jaas.config"]);

/** The policy that the worker's configuration names, by alias or class name. Throws ConfigError for one that is not known. */
export function parseOverridePolicy(worker: StringMap): OverridePolicy {
  const given = worker[POLICY_KEY]?.trim() ?? "All";
  const name = NAMES.find((each) => [each, `${each}${SUFFIX}`, `${PACKAGE}${each}${SUFFIX}`].includes(given));
  if (name === undefined) {
    throw new ConfigError(`Class ${given} could not be found; known policies are ${NAMES.join(", ")}`);
  }
  const refuse = (setting: string) =>
    `The '${name}' policy does not allow '${setting}' to be overridden in the connector configuration.`;
  const allowed = new Set(key.splitList(worker[ALLOWLIST_KEY]));
  return {
    name,
    problem(setting) {
      switch (name) {
        case "All":
          return null;
        case "None":
          return refuse(setting);
        case "Principal":
          return PRINCIPAL.has(setting) ? null : refuse(setting);
        case "Allowlist":
          return allowed.has(setting) ? null : refuse(setting);
        default:
          throw new Error(`unreachable: ${name satisfies never}`);
      }
    },
  };
}
