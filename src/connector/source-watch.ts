import { createHash } from "node:crypto";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { type ConfigMap, ConfigMaps, type Secret, Secrets } from "../kube/resources.ts";
import type { SourceStores } from "../source-stores.ts";
import { nameOf, type Source, type SourceKind } from "./sources.ts";

/** What a connector has read, as far as this operator knows. */
export interface SourcesRead {
  /** Stands for the versions of the objects; kept in the status. */
  readonly stamp: string;
  /** A digest of the values of each, never kept anywhere else. */
  readonly digests: ReadonlyMap<string, string>;
}

/** What is to be done about the sources of a connector. */
export interface SourcesLook {
  readonly read: SourcesRead | null;
  /** Sources with other values than those that were read. */
  readonly changed: readonly string[];
}

/** Tells which connectors read a Secret or ConfigMap that has changed. */
export interface SourceWatch {
  /** Compares the connector's sources with what was read before. `recorded` is the stamp in its status. */
  look(
    connector: ObjectKey,
    sources: readonly Source[],
    before: { readonly read: SourcesRead | null; readonly recorded: string | undefined },
    signal: AbortSignal,
  ): Promise<SourcesLook>;
  forget(connector: ObjectKey): void;
  /** Tells of connectors whose sources change. Answers how to stop. */
  onChange(listener: (connector: ObjectKey) => void): () => void;
}

/**
 * Guarantees: values are read only of objects that a connector names, and only when their version is another one; they are kept as
 * digests, in memory. A change of labels restarts nothing; neither does an object that is gone, as what runs has its values.
 */
export function createSourceWatch(kube: KubeClient, stores: SourceStores): SourceWatch {
  const readers = new Map<string, Map<string, ObjectKey>>();
  const named = new Map<string, readonly string[]>();

  const storeOf = (kind: SourceKind) => (kind === "Secret" ? stores.secrets : stores.configMaps);

  function register(connector: ObjectKey, names: readonly string[]): void {
    const id = `${connector.namespace}/${connector.name}`;
    for (const name of named.get(id) ?? []) {
      readers.get(name)?.delete(id);
      if (readers.get(name)?.size === 0) readers.delete(name);
    }
    if (names.length === 0) named.delete(id);
    else named.set(id, names);
    for (const name of names) {
      const byId = readers.get(name) ?? new Map<string, ObjectKey>();
      byId.set(id, connector);
      readers.set(name, byId);
    }
  }

  async function digest(source: Source, signal: AbortSignal): Promise<string | null> {
    let object: Secret | ConfigMap | null;
    try {
      object = await (source.kind === "Secret"
        ? kube.get(Secrets, source, signal)
        : kube.get(ConfigMaps, source, signal));
    } catch (error) {
      if (!isKubeError(error, "forbidden")) throw error;
      // Only the version is known then: any change of the object counts.
      return storeOf(source.kind).get(source)?.metadata.resourceVersion ?? null;
    }
    if (object === null) return null;
    const { data = {} } = object;
    const binary = "binaryData" in object ? (object.binaryData ?? {}) : {};
    const values = source.keys.map((key) => [key, data[key] ?? binary[key] ?? null]);
    return createHash("sha256").update(JSON.stringify(values)).digest("hex");
  }

  return {
    forget: (connector) => register(connector, []),
    async look(connector, sources, { read, recorded }, signal) {
      register(connector, sources.map(nameOf));
      if (sources.length === 0) return { read: null, changed: [] };
      if (sources.some(({ kind, namespace }) => !storeOf(kind).synced(namespace))) return { read, changed: [] };
      const versions = sources.map((source) => [
        nameOf(source),
        storeOf(source.kind).get(source)?.metadata.resourceVersion ?? "none",
        source.keys,
      ]);
      const stamp = createHash("sha256").update(JSON.stringify(versions)).digest("hex").slice(0, 32);
      if (read?.stamp === stamp) return { read, changed: [] };
      const digests = new Map<string, string>();
      for (const source of sources) {
        const found = (await digest(source, signal)) ?? read?.digests.get(nameOf(source));
        if (found !== undefined) digests.set(nameOf(source), found);
      }
      const isOther = (name: string) =>
        read?.digests.has(name) === true && read.digests.get(name) !== digests.get(name);
      const since = read === null && recorded !== undefined && recorded !== stamp;
      return { read: { stamp, digests }, changed: [...digests.keys()].filter((name) => since || isOther(name)) };
    },
    onChange(listener) {
      const follow = (kind: SourceKind) =>
        storeOf(kind).onChange(({ previous, current }) => {
          const { namespace = "", name = "" } = (current ?? previous)?.metadata ?? {};
          for (const connector of readers.get(nameOf({ kind, namespace, name }))?.values() ?? []) listener(connector);
        });
      const subscriptions = [follow("Secret"), follow("ConfigMap")];
      return () => {
        for (const unsubscribe of subscriptions) unsubscribe();
      };
    },
  };
}
