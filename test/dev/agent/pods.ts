import type { Container, Pod, PodSpec } from "#dev/agent/pod.ts";
import type { ConfigMap, Secret, Sources } from "#dev/agent/sources.ts";

/** A pod of one container, for tests of decisions. */
export function podOf(spec: Partial<PodSpec> = {}, container: Partial<Container> = {}): Pod {
  return {
    metadata: {
      name: "web-0",
      namespace: "shop",
      uid: "0001",
      labels: { app: "web", tier: "front" },
      annotations: { note: 'a "quoted" one' },
    },
    spec: {
      nodeName: "local",
      serviceAccountName: "web",
      containers: [{ name: "web", image: "web", ...container }],
      ...spec,
    },
  };
}

/** ConfigMaps and Secrets of the namespace `shop`, kept in memory. */
export function fakeSources(objects: {
  readonly configMaps?: Readonly<Record<string, ConfigMap>>;
  readonly secrets?: Readonly<Record<string, Secret>>;
  /** Directories by claim. */
  readonly claims?: Readonly<Record<string, string>>;
}): Sources {
  let tokens = 0;
  return {
    configMap: async (_namespace, name) => objects.configMaps?.[name] ?? null,
    secret: async (_namespace, name) => objects.secrets?.[name] ?? null,
    claimedPath: async (_namespace, claim) => objects.claims?.[claim] ?? null,
    token: async ({ serviceAccount, audience, expirationSeconds }) => {
      tokens += 1;
      const expiresAt = new Date(Date.now() + expirationSeconds * 1000);
      return { token: `${serviceAccount}/${audience ?? "api"}/${tokens}`, expiresAt };
    },
  };
}

export const addresses = { podIP: "127.9.4.12", hostIP: "127.9.4.1" };

export const base64 = (text: string) => Buffer.from(text).toString("base64");
