import { type ConfigValues, clusterNameOf, placeholdersIn } from "@headrace/contract";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import { configProviders, objectAt, type ProviderKind } from "./config-providers.ts";

/** Secrets and ConfigMaps of a cluster's own namespace that configurations name by placeholders; sorted. */
export interface NamedObjects {
  readonly secrets: readonly string[];
  readonly configMaps: readonly string[];
}

type Field = keyof NamedObjects;

/**
 * What the workers have to read: placeholders in the cluster's own configuration, and in those of the connectors in its namespace.
 * Objects of other namespaces are never among them: whoever writes a connector would get at Secrets that are not theirs.
 */
export function namedObjects(connect: KafkaConnect, connectors: readonly KafkaConnector[]): NamedObjects {
  const { namespace = "", name } = connect.metadata;
  const own = connectors.filter(
    ({ metadata }) => metadata.namespace === namespace && clusterNameOf(metadata.labels) === name,
  );
  const configs: readonly ConfigValues[] = [
    connect.spec.config ?? {},
    connect.spec.authentication?.config ?? {},
    ...own.map(({ spec }) => spec.config ?? {}),
  ];
  const named = { secrets: new Set<string>(), configMaps: new Set<string>() };
  const providers = configProviders(connect.spec);
  for (const value of configs.flatMap((config) => Object.values(config))) {
    if (typeof value !== "string") continue;
    for (const { provider, path } of placeholdersIn(value)) {
      const field = fieldOf(providers.get(provider));
      const object = objectAt(path, namespace);
      if (field !== null && object?.namespace === namespace) named[field].add(object.name);
    }
  }
  return { secrets: [...named.secrets].sort(), configMaps: [...named.configMaps].sort() };
}

/** Where objects are listed that a config provider reads; null: it reads none, by the Kubernetes API. */
function fieldOf(kind: ProviderKind | undefined): Field | null {
  if (kind === "Secret") return "secrets";
  return kind === "ConfigMap" ? "configMaps" : null;
}
