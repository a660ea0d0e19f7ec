import { createHash } from "node:crypto";
import { API_GROUP, type ConnectorSnapshot, type StringMap } from "@headrace/contract";
import { z } from "zod";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { ConfigMaps } from "../kube/resources.ts";
import { DELETION_LIMIT_MS } from "./deletion.ts";
import { isStopped } from "./instances.ts";
import type { ClusterIdentity } from "./observe.ts";

/** A connector whose resource was deleted while its cluster could not be told. */
export interface Removal {
  readonly cluster: string;
  readonly connector: string;
  readonly identity: ClusterIdentity;
  /** Digest of the configuration that the resource asked for: a connector with another one is somebody else's. */
  readonly config: string;
  /** Whether its offsets go with it (`spec.resetOffsetsOnDelete`). */
  readonly resetOffsets: boolean;
  /** Identity of the resource that was deleted. */
  readonly uid: string;
  readonly atMs: number;
}

/** What is to become of a remembered removal. Offsets can only be reset of a connector that is stopped. */
export type RemovalStep = "stop" | "await-stop" | "reset-and-remove" | "remove" | "forget" | "keep";

/** Removals are forgotten after so long. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;
/** Name of the ConfigMap in the namespace of a KafkaConnect. */
export const REMOVALS_NAME = "headrace-removed-connectors";

const Entry = z.object({
  cluster: z.string(),
  connector: z.string(),
  identity: z.object({ groupId: z.string().optional(), configStorageTopic: z.string().optional() }),
  config: z.string(),
  resetOffsets: z.boolean().default(false),
  uid: z.string().default(""),
  atMs: z.number(),
});

/**
 * Decides about a removal now that the cluster tells. A connector is removed only if it runs with the very configuration that was
 * left behind, on a cluster with the same group and topic of configurations, and nobody asks for it (invariant 8).
 */
export function planLeftover(
  removal: Removal,
  seen: {
    readonly actual: ConnectorSnapshot | null;
    readonly claimed: boolean;
    readonly identity: ClusterIdentity;
    /** Since when it has been waited for the connector to stop; null: it has not. */
    readonly stoppingSinceMs: number | null;
    readonly nowMs: number;
  },
): RemovalStep {
  const { groupId, configStorageTopic } = removal.identity;
  if (seen.claimed || seen.nowMs - removal.atMs > KEPT_MS) return "forget";
  if (groupId !== undefined && groupId !== seen.identity.groupId) return "keep";
  if (configStorageTopic !== undefined && configStorageTopic !== seen.identity.configStorageTopic) return "keep";
  if (seen.actual === null) return "forget";
  if (digestOf(seen.actual.config) !== removal.config) return "forget";
  if (!removal.resetOffsets || stopsInVain(seen)) return "remove";
  if (seen.actual.targetState !== "STOPPED") return "stop";
  return isStopped(seen.actual) ? "reset-and-remove" : "await-stop";
}

/** A connector that does not stop in time is removed without its offsets, as one whose resource is there still. */
export function stopsInVain({
  stoppingSinceMs,
  nowMs,
}: {
  readonly stoppingSinceMs: number | null;
  readonly nowMs: number;
}): boolean {
  return stoppingSinceMs !== null && nowMs - stoppingSinceMs > DELETION_LIMIT_MS;
}

/** Stands for a configuration. */
export function digestOf(config: StringMap): string {
  const entries = Object.entries(config).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(entries)).digest("hex");
}

/** Removals that are still to be done, in one ConfigMap per namespace: it outlives the KafkaConnect and the operator. */
export interface Removals {
  /** Answers false if it cannot be written down: the namespace is going, or there are thousands already. */
  remember(namespace: string, removal: Removal, signal: AbortSignal): Promise<boolean>;
  forget(namespace: string, removal: Removal, signal: AbortSignal): Promise<void>;
  list(cluster: ObjectKey, signal: AbortSignal): Promise<readonly Removal[]>;
}

export function createRemovals(kube: KubeClient): Removals {
  async function patch(namespace: string, data: Readonly<Record<string, string | null>>, signal: AbortSignal) {
    await kube.patch(ConfigMaps, { namespace, name: REMOVALS_NAME }, { data }, signal);
  }

  return {
    async remember(namespace, removal, signal) {
      const data = { [keyOf(removal)]: JSON.stringify(removal) };
      const labels = { [`${API_GROUP}/kind`]: "RemovedConnectors" };
      const metadata = { namespace, name: REMOVALS_NAME, labels };
      try {
        await patch(namespace, data, signal).catch(async (error: unknown) => {
          if (!isKubeError(error, "not-found")) throw error;
          await kube.create(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data }, signal);
        });
      } catch (error) {
        if (!isKubeError(error, "not-found", "forbidden", "invalid")) throw error;
        return false;
      }
      return true;
    },
    async forget(namespace, removal, signal) {
      try {
        await patch(namespace, { [keyOf(removal)]: null }, signal);
      } catch (error) {
        if (!isKubeError(error, "not-found")) throw error;
      }
    },
    async list({ namespace, name }, signal) {
      const map = await kube.get(ConfigMaps, { namespace, name: REMOVALS_NAME }, signal);
      return Object.values(map?.data ?? {})
        .map(parse)
        .filter((removal): removal is Removal => removal !== null && removal.cluster === name);
    },
  };
}

function keyOf({ cluster, connector }: Removal): string {
  return createHash("sha256")
    .update(JSON.stringify([cluster, connector]))
    .digest("hex")
    .slice(0, 40);
}

/** Null for an entry that somebody has spoilt. */
function parse(text: string): Removal | null {
  try {
    const { identity, ...entry } = Entry.parse(JSON.parse(text));
    const { groupId, configStorageTopic } = identity;
    return {
      ...entry,
      identity: {
        ...(groupId === undefined ? {} : { groupId }),
        ...(configStorageTopic === undefined ? {} : { configStorageTopic }),
      },
    };
  } catch {
    return null;
  }
}
