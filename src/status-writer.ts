import { isDeepStrictEqual } from "node:util";
import type { Condition } from "@headrace/contract";
import type { KubeClient, KubeObject, ResourceType } from "./kube/client.ts";
import { isKubeError } from "./kube/errors.ts";

interface StatusLike {
  readonly conditions?: readonly Condition[] | undefined;
}

interface WithStatus extends KubeObject {
  readonly status?: StatusLike;
}

/**
 * Writes the status of `object` if it differs from the one in `object`; answers whether it wrote. An object that is gone
 * meanwhile is no failure. Spec and metadata are never touched.
 */
export async function writeStatus(
  kube: KubeClient,
  { type, object, status }: { readonly type: ResourceType; readonly object: WithStatus; readonly status: StatusLike },
  signal: AbortSignal,
): Promise<boolean> {
  if (isDeepStrictEqual(comparable(status), comparable(object.status ?? {}))) return false;
  const { apiVersion, kind, metadata } = object;
  const { name, namespace } = metadata;
  const applied = { apiVersion, kind, metadata: namespace === undefined ? { name } : { name, namespace }, status };
  try {
    await kube.applyStatus<KubeObject>(type, applied, signal);
    return true;
  } catch (error) {
    if (isKubeError(error, "not-found")) return false;
    throw error;
  }
}

/** A status as JSON, with its conditions in one order: the API server may keep another one. */
function comparable(status: StatusLike): unknown {
  const conditions = [...(status.conditions ?? [])].sort((a, b) => (a.type < b.type ? -1 : 1));
  return JSON.parse(JSON.stringify({ ...status, conditions }));
}
