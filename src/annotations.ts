import { API_GROUP } from "@headrace/contract";
import type { ObjectMeta } from "./kube/client.ts";

/** Prefixes under which users give labels and annotations; ours wins where several are there. */
const PREFIXES = [API_GROUP, "strimzi.io", "eventstreams.ibm.com"] as const;

/** An annotation with the prefix that it was found under. */
export interface Annotation {
  readonly name: string;
  readonly value: string;
}

/** The annotation with this verb under our prefix or another operator's that we understand; null if there is none. */
export function findAnnotation({ annotations }: ObjectMeta, verb: string): Annotation | null {
  for (const prefix of PREFIXES) {
    const name = `${prefix}/${verb}`;
    const value = annotations?.[name];
    if (value !== undefined) return { name, value };
  }
  return null;
}

/** Every form of it that is there, ours first. */
export function findAnnotations({ annotations }: ObjectMeta, verb: string): readonly Annotation[] {
  return PREFIXES.flatMap((prefix) => {
    const name = `${prefix}/${verb}`;
    const value = annotations?.[name];
    return value === undefined ? [] : [{ name, value }];
  });
}

/** True while `pause-reconciliation` is "true". */
export function isPaused(metadata: ObjectMeta): boolean {
  return findAnnotation(metadata, "pause-reconciliation")?.value === "true";
}
