import { type ConfigValues, clusterNameOf, type KafkaConnectSpec, KUBERNETES_PROVIDERS } from "@headrace/contract";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";

/** Secrets and ConfigMaps of a cluster's own namespace that configurations name by placeholders; sorted. */
export interface NamedObjects {
  readonly secrets: readonly string[];
  readonly configMaps: readonly string[];
}

type Field = keyof NamedObjects;

const CLASSES: readonly (readonly [RegExp, Field])[] = [
  [/^(.*\.)?KubernetesSecretConfigProvider$|^kubernetes-secret$/, "secrets"],
  [/^(.*\.)?KubernetesConfigMapConfigProvider$|^kubernetes-config-map$/, "configMaps"],
];

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
  const providers = providerNames(connect.spec);
  for (const value of configs.flatMap((config) => Object.values(config))) {
    if (typeof value !== "string") continue;
    for (const [, provider = "", path = ""] of value.matchAll(/\$\{([^}:]+):([^}:]+):[^}]+\}/g)) {
      const field = providers.get(provider);
      const [first = "", second, ...more] = path.split("/");
      const object = second ?? first;
      if (field === undefined || more.length > 0 || object === "") continue;
      if (second === undefined || first === namespace) named[field].add(object);
    }
  }
  return { secrets: [...named.secrets].sort(), configMaps: [...named.configMaps].sort() };
}

/** What each config provider reads that reads Secrets or ConfigMaps. Java's workers have none but those that are named. */
function providerNames({ runtime, config = {} }: KafkaConnectSpec): ReadonlyMap<string, Field> {
  const listed = String(config["config.providers"] ?? "").split(",");
  const given = runtime === "Jvm" ? {} : KUBERNETES_PROVIDERS;
  const names = new Set([...Object.keys(given), ...listed.map((name) => name.trim())]);
  const found = new Map<string, Field>();
  for (const name of names) {
    const className = String(config[`config.providers.${name}.class`] ?? given[name] ?? name).trim();
    const field = CLASSES.find(([pattern]) => pattern.test(className))?.[1];
    if (field !== undefined) found.set(name, field);
  }
  return found;
}
