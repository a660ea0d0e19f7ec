import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient, KubeObject, ObjectKey, ResourceType } from "./client.ts";
import { isKubeError, KubeError } from "./errors.ts";

const ATTEMPTS = 5;
const PAUSE_MS = 50;

/** Whether `object` carries the finalizer. */
export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false;
}

/**
 * Adds a finalizer unless it is there or the object is being deleted (the API server refuses new ones then). Answers the
 * object as it is afterwards, null if it is gone. Finalizers of others are kept, whoever writes at the same time.
 */
export function addFinalizer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<T | null> {
  return change(client, type, object, signal, (current) =>
    hasFinalizer(current, finalizer) || current.metadata.deletionTimestamp !== undefined
      ? null
      : [...(current.metadata.finalizers ?? []), finalizer],
  );
}

/**
 * Removes a finalizer if it is there. Answers the object as it is afterwards, null if it is gone. Same guarantee; an `object`
 * without the finalizer may come from a cache that is behind, and is read again first.
 */
export async function removeFinalizer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<T | null> {
  const current = hasFinalizer(object, finalizer) ? object : await client.get(type, keyOf(object), signal);
  if (current === null) return null;
  return await change(client, type, current, signal, ({ metadata: { finalizers = [] } }) =>
    finalizers.includes(finalizer) ? finalizers.filter((name) => name !== finalizer) : null,
  );
}

/** Replaces the list of finalizers if nobody changed the object since it was read; else reads it again. */
async function change<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  signal: AbortSignal,
  decide: (current: T) => readonly string[] | null,
): Promise<T | null> {
  const key = keyOf(object);
  const { uid } = object.metadata;
  let current: T | null = object;
  for (let attempt = 1; current !== null && current.metadata.uid === uid; attempt += 1) {
    const finalizers = decide(current);
    if (finalizers === null) return current;
    const { resourceVersion } = current.metadata;
    try {
      return await client.patch(type, key, { metadata: { uid, resourceVersion, finalizers } }, signal);
    } catch (error) {
      if (isKubeError(error, "not-found")) return null;
      if (!(error instanceof KubeError) || error.code !== "conflict" || attempt === ATTEMPTS) throw error;
    }
    await sleep(PAUSE_MS * attempt, undefined, { signal });
    current = await client.get(type, key, signal);
  }
  return null;
}

function keyOf({ metadata }: KubeObject): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}
