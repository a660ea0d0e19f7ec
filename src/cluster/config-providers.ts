import { type KafkaConnectSpec, KUBERNETES_PROVIDERS } from "@headrace/contract";
import type { ObjectKey } from "../kube/client.ts";

/** What a config provider reads, of those that the operator knows: objects of the Kubernetes API, or what is in the worker's pod. */
export type ProviderKind = "Secret" | "ConfigMap" | "directory" | "file" | "env";

const CLASSES: readonly (readonly [RegExp, ProviderKind])[] = [
  [/^(.*\.)?KubernetesSecretConfigProvider$|^kubernetes-secret$/, "Secret"],
  [/^(.*\.)?KubernetesConfigMapConfigProvider$|^kubernetes-config-map$/, "ConfigMap"],
  [/^(.*\.)?DirectoryConfigProvider$|^directory$/, "directory"],
  [/^(.*\.)?FileConfigProvider$|^file$/, "file"],
  [/^(.*\.)?EnvVarConfigProvider$|^env$/, "env"],
];

/** There without being named in `config.providers`, with the classes that they are named for. */
const GIVEN = ["env", "directory", "file"];

/**
 * What each config provider of a cluster's workers reads, by name. Those that the operator does not know are not among them, and neither are
 * those that read another Kubernetes API server than its own.
 */
export function configProviders({
  runtime,
  config = {},
}: Pick<KafkaConnectSpec, "runtime" | "config">): ReadonlyMap<string, ProviderKind> {
  const kubernetes = runtime === "Jvm" ? {} : KUBERNETES_PROVIDERS;
  const listed = String(config["config.providers"] ?? "").split(",");
  const found = new Map<string, ProviderKind>();
  for (const name of [...GIVEN, ...Object.keys(kubernetes), ...listed.map((each) => each.trim())]) {
    const className = String(config[`config.providers.${name}.class`] ?? kubernetes[name] ?? name).trim();
    const kind = CLASSES.find(([pattern]) => pattern.test(className))?.[1];
    const isElsewhere =
      (kind === "Secret" || kind === "ConfigMap") && `config.providers.${name}.param.kubeconfig` in config;
    if (kind !== undefined && !isElsewhere) found.set(name, kind);
  }
  return found;
}

/** What a placeholder's path names, `name` or `namespace/name`; null if it is neither. `namespace`: of what is named without one. */
export function objectAt(path: string, namespace: string): ObjectKey | null {
  const [first = "", second, ...more] = path.split("/");
  if (first === "" || second === "" || more.length > 0) return null;
  return second === undefined ? { namespace, name: first } : { namespace: first, name: second };
}
