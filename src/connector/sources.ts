import { posix } from "node:path";
import { type ConfigValueProblem, placeholdersIn, type StringMap } from "@headrace/contract";
import { configProviders, objectAt } from "../cluster/config-providers.ts";
import { OWN_DIR, OWN_PROVIDER } from "../cluster/kafka-access.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { ObjectKey } from "../kube/client.ts";

/** Where a config provider reads values. */
export type SourceKind = "Secret" | "ConfigMap";

/** A Secret or ConfigMap that a connector's configuration reads. */
export interface Source extends ObjectKey {
  readonly kind: SourceKind;
  readonly keys: readonly string[];
}

/** Names of the cluster's config providers that read Secrets and ConfigMaps. */
export type SourceProviders = ReadonlyMap<string, SourceKind>;

/** Those of the cluster's config providers that read Secrets and ConfigMaps: its workers have some without being asked for them. */
export function sourceProviders(connect: KafkaConnect | undefined): SourceProviders {
  const providers = new Map<string, SourceKind>();
  for (const [name, kind] of configProviders(connect?.spec ?? {})) {
    if (kind === "Secret" || kind === "ConfigMap") providers.set(name, kind);
  }
  return providers;
}

/** What a configuration reads, each object once. `namespace`: the workers', for what is named without one. */
export function sourcesIn(config: StringMap, providers: SourceProviders, namespace: string): readonly Source[] {
  const found = new Map<string, { readonly source: Omit<Source, "keys">; readonly keys: Set<string> }>();
  for (const value of Object.values(config)) {
    for (const { provider, path, key } of placeholdersIn(value)) {
      const kind = providers.get(provider);
      const place = kind === undefined ? null : objectAt(path, namespace);
      if (kind === undefined || place === null) continue;
      const source = { kind, ...place };
      const known = found.get(nameOf(source)) ?? { source, keys: new Set() };
      known.keys.add(key);
      found.set(nameOf(source), known);
    }
  }
  return [...found.values()].map(({ source, keys }) => ({ ...source, keys: [...keys].toSorted() }));
}

/**
 * What a connector of `own` must not read on workers of another namespace: these can read more than its users may. It may read
 * Secrets and ConfigMaps of its own namespace, which the workers' ServiceAccount needs a right for; nothing else.
 */
export function foreignReferences(
  config: StringMap,
  providers: SourceProviders,
  { own, workers }: { readonly own: string; readonly workers: string },
): readonly ConfigValueProblem[] {
  if (own === workers) return [];
  return Object.entries(config).flatMap(([key, value]) =>
    placeholdersIn(value).flatMap(({ text, provider, path }) => {
      const kind = providers.get(provider);
      if (kind === undefined) {
        return [
          {
            key,
            message: `${text} is not allowed: a connector of another namespace can use Secrets and ConfigMaps of its own only`,
          },
        ];
      }
      if (objectAt(path, workers)?.namespace === own) return [];
      return [{ key, message: `${text} is not allowed: it must name a ${kind} of namespace ${own}, as ${own}/name` }];
    }),
  );
}

/**
 * What no connector may read: the files that the operator gives to the workers, among them what the workers log in with. Headrace's
 * workers keep the operator's provider from connectors by themselves, Java's cannot (`param.worker.only` is ours); and a provider
 * that users name may read every file.
 */
export function ownFileReferences(config: StringMap): readonly ConfigValueProblem[] {
  return Object.entries(config).flatMap(([key, value]) =>
    placeholdersIn(value)
      .filter(({ provider, path }) => provider.trim() === OWN_PROVIDER || isOwnFile(path))
      .map(({ text }) => ({ key, message: `${text} is not allowed: the workers' own files are not for connectors` })),
  );
}

function isOwnFile(path: string): boolean {
  // POSIX keeps two slashes at the beginning; the kernel takes them for one.
  const file = posix.normalize(path.trim()).replace(/^\/+/, "/");
  return file === OWN_DIR || file.startsWith(`${OWN_DIR}/`);
}

/** Names of the providers that a configuration's placeholders name, each with the keys that they are in. */
export function providersIn(config: StringMap): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [key, value] of Object.entries(config)) {
    for (const provider of new Set(placeholdersIn(value).map((placeholder) => placeholder.provider))) {
      found.set(provider, [...(found.get(provider) ?? []), key]);
    }
  }
  return found;
}

/** How messages and indexes name it: `Secret ns/name`. */
export function nameOf({ kind, namespace, name }: ObjectKey & { readonly kind: SourceKind }): string {
  return `${kind} ${namespace}/${name}`;
}
