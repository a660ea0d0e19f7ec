import { z } from "zod";
import type { KubeObject, ResourceType } from "./client.ts";
import { KubeError } from "./errors.ts";
import { apiVersionOf } from "./resources.ts";

const ObjectBody = z.looseObject({
  metadata: z.looseObject({ name: z.string().min(1), managedFields: z.unknown().optional() }),
});

const ListBody = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().min(1), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullable(),
});

/** One page of a list. */
export interface Page<T extends KubeObject> {
  readonly objects: readonly T[];
  readonly resourceVersion: string;
  /** Where the next page starts; null on the last one. */
  readonly continueToken: string | null;
}

/**
 * An object of `type` as the API sent it, without `managedFields`, which would be most of its memory. Its shape beyond
 * the metadata is the API server's promise (CRD schema), not checked again.
 */
export function decodeObject<T extends KubeObject>(type: ResourceType<T>, body: unknown): T {
  const parsed = ObjectBody.safeParse(body);
  if (!parsed.success) throw new KubeError("malformed", `What came as a ${type.kind} is not one`);
  const { managedFields: _, ...metadata } = parsed.data.metadata;
  return { ...parsed.data, apiVersion: apiVersionOf(type), kind: type.kind, metadata } as unknown as T;
}

/** A page of a list; items of built-in types come without apiVersion and kind and get them here. */
export function decodePage<T extends KubeObject>(type: ResourceType<T>, body: unknown): Page<T> {
  const parsed = ListBody.safeParse(body);
  if (!parsed.success) throw new KubeError("malformed", `What came as a list of ${type.plural} is not one`);
  const { metadata, items } = parsed.data;
  return {
    objects: (items ?? []).map((item) => decodeObject(type, item)),
    resourceVersion: metadata.resourceVersion,
    continueToken: metadata.continue ? metadata.continue : null,
  };
}
