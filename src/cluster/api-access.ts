/** How workers reach the Kubernetes API: their ServiceAccount's token, where clients look for it. */

const VOLUME = "headrace-api-access";
/** Where the token is. */
export const API_ACCESS_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";
/** As the kubelet gives it by itself: the odd seconds mark a token that was not asked for with a lifetime. */
const TOKEN_SECONDS = 3607;

/** Token, authority and namespace, as pods have them by default; the kubelet renews the token. */
export function apiAccessVolume(): object {
  return {
    name: VOLUME,
    projected: {
      sources: [
        { serviceAccountToken: { path: "token", expirationSeconds: TOKEN_SECONDS } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    },
  };
}

export function apiAccessMount(): object {
  return { name: VOLUME, mountPath: API_ACCESS_DIR, readOnly: true };
}
