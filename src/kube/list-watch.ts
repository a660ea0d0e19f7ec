import { z } from "zod";
import type { ApiCaller } from "./api-call.ts";
import type { KubeObject, ResourceType } from "./client.ts";
import { decodeObject, decodePage, type Page } from "./decode.ts";
import { KubeError, toKubeError } from "./errors.ts";
import { splitLines } from "./lines.ts";
import { collectionPath, type Scope } from "./paths.ts";

/** One message of a watch. A bookmark carries only how far the watch has come. */
export type WatchEvent<T extends KubeObject> =
  | { readonly kind: "applied" | "deleted"; readonly object: T; readonly resourceVersion: string }
  | { readonly kind: "bookmark"; readonly resourceVersion: string };

/** The two calls that a cache of one resource type is made of. Both throw KubeError. */
export interface ListWatch<T extends KubeObject> {
  readonly scope: Scope;
  /** A page of a consistent list; `limit` null asks for all in one. */
  page(continueToken: string | null, limit: number | null, signal: AbortSignal): Promise<Page<T>>;
  /** What happened after `resourceVersion`; ends when the server ends it, which it does after `timeoutSeconds` at the latest. */
  watch(resourceVersion: string, timeoutSeconds: number, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
}

/** Objects are at most 1.5 MiB in etcd; JSON escapes and managed fields make them longer. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const WatchLine = z.object({ type: z.string(), object: z.looseObject({}) });
const Bookmark = z.object({ metadata: z.object({ resourceVersion: z.string().min(1) }) });

/** Asks for the metadata of objects alone, as `metav1.PartialObjectMetadata`. */
const METADATA = {
  list: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
  watch: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
} as const;

/** `metadataOnly`: the objects come without their contents, for instance Secrets of which only the changes count. */
export function createListWatch<T extends KubeObject>(
  api: ApiCaller,
  type: ResourceType<T>,
  scope: Scope,
  { metadataOnly = false }: { readonly metadataOnly?: boolean } = {},
): ListWatch<T> {
  const { namespace, labelSelector } = scope;
  const accept = (call: keyof typeof METADATA) => (metadataOnly ? { accept: METADATA[call] } : {});

  function decodeLine(line: string): WatchEvent<T> {
    const parsed = WatchLine.safeParse(parseJson(line));
    if (!parsed.success) throw new KubeError("malformed", `watching ${type.plural}: a line is no watch event`);
    const { type: kind, object } = parsed.data;
    switch (kind) {
      case "ADDED":
      case "MODIFIED":
      case "DELETED": {
        const decoded = decodeObject(type, object);
        const { resourceVersion } = decoded.metadata;
        if (resourceVersion === undefined) throw new KubeError("malformed", `a ${type.kind} without resourceVersion`);
        return { kind: kind === "DELETED" ? "deleted" : "applied", object: decoded, resourceVersion };
      }
      case "BOOKMARK": {
        const bookmark = Bookmark.safeParse(object);
        if (!bookmark.success) throw new KubeError("malformed", `watching ${type.plural}: a bookmark without version`);
        return { kind: "bookmark", resourceVersion: bookmark.data.metadata.resourceVersion };
      }
      case "ERROR":
        throw toKubeError(`watching ${type.plural}`, 500, object, null);
      default:
        throw new KubeError("malformed", `watching ${type.plural}: unknown event ${kind.slice(0, 40)}`);
    }
  }

  function parseJson(line: string): unknown {
    try {
      return JSON.parse(line);
    } catch (cause) {
      throw new KubeError("malformed", `watching ${type.plural}: a line is not JSON`, {}, { cause });
    }
  }

  return {
    scope,
    async page(continueToken, limit, signal) {
      const path = collectionPath(type, namespace, { labelSelector, limit, continue: continueToken });
      return decodePage(
        type,
        await api.call({ method: "GET", path, ...accept("list"), doing: `listing ${type.plural}` }, signal),
      );
    },
    async *watch(resourceVersion, timeoutSeconds, signal) {
      const query = { watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds, labelSelector };
      const path = collectionPath(type, namespace, query);
      const response = await api.stream(
        { method: "GET", path, ...accept("watch"), doing: `watching ${type.plural}` },
        signal,
      );
      try {
        for await (const line of splitLines(response.body, MAX_LINE_BYTES)) {
          if (line !== "") yield decodeLine(line);
        }
      } catch (cause) {
        if (!(cause instanceof RangeError)) throw cause;
        throw new KubeError("malformed", `watching ${type.plural}: ${cause.message}`, {}, { cause });
      }
    },
  };
}
