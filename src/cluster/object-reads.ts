import type { KubeClient } from "../kube/client.ts";
import { isKubeError, type KubeError } from "../kube/errors.ts";
import { type ConfigMap, ConfigMaps, type Secret, Secrets } from "../kube/resources.ts";
import { hasFailed } from "./attempt.ts";

/** What came of reading an object. `object`: null if there is none. */
export type Read<T> = { readonly kind: "read"; readonly object: T | null } | Unread;

/** The API server did not give it, and has said so. */
export interface Unread {
  readonly kind: "unread";
  /** As in `Secret a`. */
  readonly what: string;
  readonly error: KubeError;
}

/** Reads objects of one namespace, each once however often it is asked for. */
export interface ObjectReads {
  /** Throws what is neither a refusal nor a failure of the API server, as of one that cannot be reached. */
  secret(name: string): Promise<Read<Secret>>;
  /** Likewise. */
  configMap(name: string): Promise<Read<ConfigMap>>;
}

export function createObjectReads(kube: Pick<KubeClient, "get">, namespace: string, signal: AbortSignal): ObjectReads {
  return {
    secret: once((name) => toRead(`Secret ${name}`, kube.get(Secrets, { namespace, name }, signal))),
    configMap: once((name) => toRead(`ConfigMap ${name}`, kube.get(ConfigMaps, { namespace, name }, signal))),
  };
}

/** Whether the next attempt may well succeed. */
export function isPassing({ error }: Unread): boolean {
  return hasFailed(error);
}

/** The same of a part of the object. */
export function mapRead<T, R>(read: Read<T>, part: (object: T) => R): Read<R> {
  if (read.kind === "unread") return read;
  return { kind: "read", object: read.object === null ? null : part(read.object) };
}

function once<T>(read: (name: string) => Promise<T>): (name: string) => Promise<T> {
  const reads = new Map<string, Promise<T>>();
  return (name) => {
    const reading = reads.get(name) ?? read(name);
    reads.set(name, reading);
    return reading;
  };
}

async function toRead<T>(what: string, reading: Promise<T | null>): Promise<Read<T>> {
  try {
    return { kind: "read", object: await reading };
  } catch (error) {
    if (isKubeError(error, "forbidden") || hasFailed(error)) return { kind: "unread", what, error };
    throw error;
  }
}
