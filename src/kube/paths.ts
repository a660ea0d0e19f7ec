import type { ObjectKey, ResourceType } from "./client.ts";

/** What a list or a watch covers: `namespace` null is every namespace. */
export interface Scope {
  readonly namespace: string | null;
  readonly labelSelector: string | null;
}

type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parameters.append(name, String(value));
  }
  return parameters.size === 0 ? path : `${path}?${parameters}`;
}

/** Path of a collection; namespace null or "" names no namespace. */
export function collectionPath(type: ResourceType, namespace: string | null, query: Query = {}): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = namespace === null || namespace === "" ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return withQuery(`${root}${scope}/${type.plural}`, query);
}

/** Path of an object, or of one of its subresources. Cluster-scoped objects have namespace "". */
export function objectPath(
  type: ResourceType,
  key: ObjectKey,
  subresource: "" | "/status" | "/resize",
  query: Query = {},
): string {
  const path = `${collectionPath(type, key.namespace)}/${encodeURIComponent(key.name)}${subresource}`;
  return withQuery(path, query);
}
