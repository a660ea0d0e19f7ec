import type { ApiCaller } from "./api-call.ts";
import type { KubeClient, KubeObject, ObjectKey, ResourceType } from "./client.ts";
import { decodeObject, decodePage } from "./decode.ts";
import { isKubeError, KubeError } from "./errors.ts";
import { collectionPath, objectPath } from "./paths.ts";
import { Pods } from "./resources.ts";

/** The field manager of everything that the operator applies. */
export const FIELD_MANAGER = "headrace";

const PAGE_SIZE = 500;
const APPLY = { fieldManager: FIELD_MANAGER, force: true };
const APPLY_PATCH = "application/apply-patch+yaml";
const JSON_PATCH = "application/json-patch+json";
/** Knows lists by their keys: containers by their names. */
const STRATEGIC_PATCH = "application/strategic-merge-patch+json";
const MERGE_PATCH = "application/merge-patch+json";

/** The KubeClient over the API server's REST interface. */
export function createKubeClient(api: ApiCaller): KubeClient {
  async function pages<T extends KubeObject>(
    type: ResourceType<T>,
    namespace: string | null,
    labelSelector: string | null,
    limit: number | null,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    const objects: T[] = [];
    let token: string | null = null;
    do {
      const path = collectionPath(type, namespace, { labelSelector, limit, continue: token });
      const body = await api.call({ method: "GET", path, doing: `listing ${type.plural}` }, signal);
      const page = decodePage(type, body);
      objects.push(...page.objects);
      token = page.continueToken;
    } while (token !== null);
    return objects;
  }

  return {
    async get(type, key, signal) {
      const doing = `getting ${named(type, key)}`;
      try {
        return decodeObject(type, await api.call({ method: "GET", path: objectPath(type, key, ""), doing }, signal));
      } catch (error) {
        if (isKubeError(error, "not-found")) return null;
        throw error;
      }
    },

    async list(type, namespace, labelSelector, signal) {
      try {
        return await pages(type, namespace, labelSelector, PAGE_SIZE, signal);
      } catch (error) {
        if (!isKubeError(error, "expired")) throw error;
        return await pages(type, namespace, labelSelector, null, signal);
      }
    },

    async create(type, object, signal) {
      const path = collectionPath(type, object.metadata.namespace ?? null, { fieldManager: FIELD_MANAGER });
      const doing = `creating ${named(type, keyOf(object))}`;
      return decodeObject(type, await api.call({ method: "POST", path, body: JSON.stringify(object), doing }, signal));
    },

    async apply(type, object, signal) {
      const key = keyOf(object);
      const request = { method: "PATCH", contentType: APPLY_PATCH, body: JSON.stringify(object) } as const;
      const path = objectPath(type, key, "", APPLY);
      return decodeObject(type, await api.call({ ...request, path, doing: `applying ${named(type, key)}` }, signal));
    },

    async applyStatus(type, object, signal) {
      const key = keyOf(object);
      const request = { method: "PATCH", contentType: APPLY_PATCH, body: JSON.stringify(object) } as const;
      const path = objectPath(type, key, "/status", APPLY);
      const doing = `applying the status of ${named(type, key)}`;
      return decodeObject(type, await api.call({ ...request, path, doing }, signal));
    },

    async replaceStatus(type, key, { uid, status }, signal) {
      const body = JSON.stringify([
        { op: "test", path: "/metadata/uid", value: uid },
        { op: "add", path: "/status", value: status },
      ]);
      const path = objectPath(type, key, "/status", { fieldManager: FIELD_MANAGER });
      const request = { method: "PATCH", contentType: JSON_PATCH, path, body } as const;
      return decodeObject(
        type,
        await api.call({ ...request, doing: `replacing the status of ${named(type, key)}` }, signal),
      );
    },

    async patch(type, key, patch, signal) {
      const request = { method: "PATCH", contentType: MERGE_PATCH, body: JSON.stringify(patch) } as const;
      const path = objectPath(type, key, "", { fieldManager: FIELD_MANAGER });
      return decodeObject(type, await api.call({ ...request, path, doing: `patching ${named(type, key)}` }, signal));
    },

    async resize(pod, resources, signal) {
      const containers = Object.entries(resources).map(([name, wanted]) => ({ name, resources: wanted }));
      const request = {
        method: "PATCH",
        contentType: STRATEGIC_PATCH,
        body: JSON.stringify({ spec: { containers } }),
      } as const;
      const path = objectPath(Pods, pod, "/resize", { fieldManager: FIELD_MANAGER });
      return decodeObject(Pods, await api.call({ ...request, path, doing: `resizing ${named(Pods, pod)}` }, signal));
    },

    async delete(type, key, { uid, gracePeriodSeconds, propagationPolicy }, signal) {
      const body = JSON.stringify({
        apiVersion: "v1",
        kind: "DeleteOptions",
        ...(uid === undefined ? {} : { preconditions: { uid } }),
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
      });
      const doing = `deleting ${named(type, key)}`;
      try {
        await api.call({ method: "DELETE", path: objectPath(type, key, ""), body, doing }, signal);
      } catch (error) {
        if (isKubeError(error, "not-found")) return;
        if (uid !== undefined && (await isAnother(type, key, uid, error, signal))) return;
        throw error;
      }
    },
  };

  /** A conflict on the uid means that the object meant is gone and another one has its name. */
  async function isAnother(type: ResourceType, key: ObjectKey, uid: string, error: unknown, signal: AbortSignal) {
    if (!isKubeError(error, "conflict")) return false;
    const path = objectPath(type, key, "");
    try {
      const body = await api.call({ method: "GET", path, doing: `getting ${named(type, key)}` }, signal);
      return decodeObject(type, body).metadata.uid !== uid;
    } catch (cause) {
      if (cause instanceof KubeError && cause.code === "not-found") return true;
      throw cause;
    }
  }
}

function keyOf(object: KubeObject): ObjectKey {
  return { namespace: object.metadata.namespace ?? "", name: object.metadata.name };
}

function named(type: ResourceType, { namespace, name }: ObjectKey): string {
  return `${type.plural} ${namespace === "" ? name : `${namespace}/${name}`}`;
}
