import { ApiError, type KubernetesApi } from "../kubernetes-api.ts";

/** Where the agent reads the objects that pods refer to; null if there is no such object. */
export interface Sources {
  configMap(namespace: string, name: string, signal: AbortSignal): Promise<ConfigMap | null>;
  secret(namespace: string, name: string, signal: AbortSignal): Promise<Secret | null>;
  /** The directory of the volume that a claim is bound to; null without such a claim, or while it is not bound to a directory. */
  claimedPath(namespace: string, claim: string, signal: AbortSignal): Promise<string | null>;
  /** A new token of a ServiceAccount, bound to the pod. */
  token(request: TokenRequest, signal: AbortSignal): Promise<Token>;
}

export interface ConfigMap {
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

export interface Secret {
  readonly data?: Readonly<Record<string, string>>;
}

interface Claim {
  readonly spec: { readonly volumeName?: string };
}

interface PersistentVolume {
  readonly spec: { readonly hostPath?: { readonly path: string }; readonly local?: { readonly path: string } };
}

export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: { readonly name: string; readonly uid: string };
  readonly audience?: string;
  readonly expirationSeconds: number;
}

export interface Token {
  readonly token: string;
  readonly expiresAt: Date;
}

/** Reads from the API server what the node authorizer lets this node read. */
export function createSources(api: KubernetesApi): Sources {
  const get = async <T>(path: string, signal: AbortSignal): Promise<T | null> => {
    try {
      return await api.request<T>({ path }, signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  };
  return {
    configMap: (namespace, name, signal) => get(`/api/v1/namespaces/${namespace}/configmaps/${name}`, signal),
    secret: (namespace, name, signal) => get(`/api/v1/namespaces/${namespace}/secrets/${name}`, signal),
    async claimedPath(namespace, claim, signal) {
      const found = await get<Claim>(`/api/v1/namespaces/${namespace}/persistentvolumeclaims/${claim}`, signal);
      const name = found?.spec.volumeName;
      if (name === undefined) return null;
      const volume = await get<PersistentVolume>(`/api/v1/persistentvolumes/${name}`, signal);
      return volume?.spec.hostPath?.path ?? volume?.spec.local?.path ?? null;
    },
    async token(request, signal) {
      const { namespace, serviceAccount, pod, audience, expirationSeconds } = request;
      const { status } = await api.request<{ status: { token: string; expirationTimestamp: string } }>(
        {
          method: "POST",
          path: `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
          body: {
            apiVersion: "authentication.k8s.io/v1",
            kind: "TokenRequest",
            spec: {
              expirationSeconds,
              ...(audience !== undefined && audience !== "" && { audiences: [audience] }),
              boundObjectRef: { apiVersion: "v1", kind: "Pod", ...pod },
            },
          },
        },
        signal,
      );
      return { token: status.token, expiresAt: new Date(status.expirationTimestamp) };
    },
  };
}
