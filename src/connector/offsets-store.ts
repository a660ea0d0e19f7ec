import { gunzipSync, gzipSync } from "node:zlib";
import { API_GROUP } from "@headrace/contract";
import type { KafkaConnector } from "../kinds.ts";
import type { KubeClient, KubeObject, ObjectKey, OwnerReference } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { type ConfigMap, ConfigMaps } from "../kube/resources.ts";
import { formatOffsets, type OffsetEntry, OffsetsError, parseOffsets } from "./offsets-json.ts";

/** Strimzi's name of the key. */
const KEY = "offsets.json";
/** For what would not fit into a ConfigMap, whose limit is 1 MiB. */
const COMPRESSED_KEY = "offsets.json.gz";
const MAX_TEXT_BYTES = 900_000;
const KEPT_SNAPSHOTS = 5;
const SNAPSHOT_LABELS = { [`${API_GROUP}/kind`]: "OffsetsSnapshot" } as const;
const CONNECTOR_UID_LABEL = `${API_GROUP}/connector-uid`;

/** Offsets in ConfigMaps. All throw OffsetsError for what the user has to change, and KubeError for the rest. */
export interface OffsetsStore {
  /** Reads the offsets that the ConfigMap holds. */
  read(map: ObjectKey, key: string | null, signal: AbortSignal): Promise<readonly OffsetEntry[]>;
  /** Writes them into a key of the ConfigMap; its other keys are kept. One that is made for it belongs to the resource. */
  write(map: ObjectKey, resource: KafkaConnector, offsets: readonly OffsetEntry[], signal: AbortSignal): Promise<void>;
  /** Keeps what the offsets were in a ConfigMap of its own, and the last few of those. Answers its name. */
  snapshot(
    resource: KubeObject,
    taken: { readonly offsets: readonly OffsetEntry[]; readonly atMs: number; readonly outlives: boolean },
    signal: AbortSignal,
  ): Promise<string>;
}

export function createOffsetsStore(kube: KubeClient): OffsetsStore {
  async function apply(map: ConfigMap, signal: AbortSignal): Promise<void> {
    try {
      await kube.apply(ConfigMaps, map, signal);
    } catch (error) {
      if (!isKubeError(error, "invalid", "forbidden")) throw error;
      throw new OffsetsError(`ConfigMap ${map.metadata.name} cannot be written: ${error.message}`, { cause: error });
    }
  }

  async function forgetOldSnapshots(resource: KubeObject, signal: AbortSignal): Promise<void> {
    const { uid = "", namespace = "" } = resource.metadata;
    const selector = `${API_GROUP}/kind=${SNAPSHOT_LABELS[`${API_GROUP}/kind`]},${CONNECTOR_UID_LABEL}=${uid}`;
    const maps = await kube.list(ConfigMaps, namespace, selector, signal);
    const names = maps.map(({ metadata }) => metadata.name).toSorted();
    for (const name of names.slice(0, -KEPT_SNAPSHOTS)) await kube.delete(ConfigMaps, { namespace, name }, {}, signal);
  }

  return {
    async read(map, key, signal) {
      const what = `ConfigMap ${map.name}`;
      const found = await kube.get(ConfigMaps, map, signal);
      if (found === null) throw new OffsetsError(`${what} does not exist in namespace ${map.namespace}`);
      const text = textOf(found, key);
      if (text === null) throw new OffsetsError(`${what} has no key ${key ?? KEY}`);
      try {
        return parseOffsets(text);
      } catch (error) {
        if (!(error instanceof OffsetsError)) throw error;
        throw new OffsetsError(`${key ?? KEY} of ${what} cannot be used: ${error.message}`, { cause: error });
      }
    },
    async write(map, resource, offsets, signal) {
      const current = await kube.get(ConfigMaps, map, signal);
      const owner = ownerOf(resource);
      const owned = current?.metadata.ownerReferences?.some(({ uid }) => uid === owner.uid) ?? current === null;
      const metadata = { ...map, ...(owned ? { ownerReferences: [owner] } : {}) };
      await apply({ apiVersion: "v1", kind: "ConfigMap", metadata, ...contents(offsets) }, signal);
    },
    async snapshot(resource, { offsets, atMs, outlives }, signal) {
      const { name, namespace = "", uid = "" } = resource.metadata;
      const stamp = new Date(atMs).toISOString().replace(/\D/g, "").slice(0, 17);
      const metadata = {
        namespace,
        name: `${name.slice(0, 200)}-offsets-${stamp}`,
        labels: { ...SNAPSHOT_LABELS, [CONNECTOR_UID_LABEL]: uid },
        ...(outlives ? {} : { ownerReferences: [ownerOf(resource)] }),
      };
      await apply({ apiVersion: "v1", kind: "ConfigMap", metadata, ...contents(offsets) }, signal);
      await forgetOldSnapshots(resource, signal);
      return metadata.name;
    },
  };
}

function contents(offsets: readonly OffsetEntry[]): Pick<ConfigMap, "data" | "binaryData"> {
  const text = formatOffsets(offsets);
  if (Buffer.byteLength(text) <= MAX_TEXT_BYTES) return { data: { [KEY]: text } };
  return { binaryData: { [COMPRESSED_KEY]: gzipSync(text).toString("base64") } };
}

function textOf({ data, binaryData }: ConfigMap, key: string | null): string | null {
  const text = data?.[key ?? KEY];
  if (text !== undefined || key !== null) return text ?? null;
  const compressed = binaryData?.[COMPRESSED_KEY];
  return compressed === undefined ? null : gunzipSync(Buffer.from(compressed, "base64")).toString("utf8");
}

function ownerOf({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? "" };
}
