import { ConfigError } from "@headrace/sdk";
import { z } from "zod";
import type { ConfigProviderDefinition } from "./config-provider.ts";
import { connectKubernetes, type KubernetesReader } from "./kubernetes-reader.ts";

/** A Secret's or ConfigMap's contents, as far as they are read here. */
const CONTENTS = z.object({
  data: z.record(z.string(), z.string()).optional(),
  binaryData: z.record(z.string(), z.string()).optional(),
});

/** Reads a Secret by the Kubernetes API: `${secrets:namespace/name:key}`; without a namespace it is the worker's own. */
export const secretProvider: ConfigProviderDefinition = {
  name: "kubernetes-secret",
  aliases: ["io.strimzi.kafka.KubernetesSecretConfigProvider"],
  create: (params, { env }) =>
    providerOf(
      "Secret",
      "secrets",
      () => connectKubernetes(env, params["kubeconfig"]),
      ({ data = {} }) => mapValues(data, fromBase64),
    ),
};

/** Reads a ConfigMap by the Kubernetes API: `${configmaps:namespace/name:key}`; without a namespace it is the worker's own. */
export const configMapProvider: ConfigProviderDefinition = {
  name: "kubernetes-config-map",
  aliases: ["io.strimzi.kafka.KubernetesConfigMapConfigProvider"],
  create: (params, { env }) =>
    providerOf(
      "ConfigMap",
      "configmaps",
      () => connectKubernetes(env, params["kubeconfig"]),
      ({ data = {}, binaryData = {} }) => ({ ...data, ...mapValues(binaryData, fromBase64) }),
    ),
};

function providerOf(
  kind: string,
  resource: string,
  connect: () => Promise<KubernetesReader>,
  read: (contents: z.infer<typeof CONTENTS>) => Readonly<Record<string, string>>,
) {
  return {
    async get(path: string, keys: ReadonlySet<string>, signal: AbortSignal) {
      const [first = "", second, ...more] = path.split("/");
      if (first === "" || second === "" || more.length > 0) {
        throw new ConfigError(`Path '${path}' does not name a ${kind}: it must be name or namespace/name`);
      }
      const what = `${kind} ${path}`;
      const reader = await connect();
      const namespace = second === undefined ? reader.namespace : first;
      const name = second ?? first;
      const url = `/api/v1/namespaces/${encodeURIComponent(namespace)}/${resource}/${encodeURIComponent(name)}`;
      const contents = read(CONTENTS.parse(await reader.get(url, what, signal)));
      const missing = [...keys].filter((key) => !Object.hasOwn(contents, key));
      if (missing.length > 0) throw new ConfigError(`${what} has no key ${missing.join(", ")}`);
      return { values: new Map([...keys].map((key) => [key, contents[key] ?? ""])) };
    },
  };
}

function mapValues(
  values: Readonly<Record<string, string>>,
  convert: (value: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, convert(value)]));
}

function fromBase64(value: string): string {
  return Buffer.from(value, "base64").toString("utf8");
}
