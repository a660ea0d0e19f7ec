import { setTimeout as sleep } from "node:timers/promises";
import { KafkaConnector } from "@headrace/contract";
import { openKubernetesApi } from "../kubernetes-api.ts";

/** The connectors of a namespace as a user's watch sees them. */
export interface ConnectorWatch {
  get(name: string): KafkaConnector | undefined;
  all(): readonly KafkaConnector[];
  stop(): Promise<void>;
}

/** Starts watching; resolves once the connectors of now are known. */
export async function watchConnectors(kubeconfig: string, namespace: string): Promise<ConnectorWatch> {
  const api = openKubernetesApi(kubeconfig);
  const path = `/apis/headrace.dev/v1/namespaces/${namespace}/kafkaconnectors`;
  const connectors = new Map<string, KafkaConnector>();
  const stopping = new AbortController();
  const { signal } = stopping;
  let version = "";
  const list = async () => {
    const { items, metadata } = await api.request<{ items: object[]; metadata: { resourceVersion: string } }>(
      { path },
      signal,
    );
    connectors.clear();
    const type = { apiVersion: "headrace.dev/v1", kind: "KafkaConnector" };
    for (const item of items) remember(KafkaConnector.parse({ ...type, ...item }));
    version = metadata.resourceVersion;
  };
  const remember = (connector: KafkaConnector) => connectors.set(connector.metadata.name, connector);
  const follow = async () => {
    while (!signal.aborted) {
      try {
        const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${version}`;
        for await (const { type, object } of api.watch<object>(`${path}?${query}`, signal)) {
          if (type === "BOOKMARK") continue;
          const connector = KafkaConnector.parse(object);
          if (type === "DELETED") connectors.delete(connector.metadata.name);
          else remember(connector);
        }
        if (!signal.aborted) await list();
      } catch (error) {
        if (signal.aborted) return;
        process.stderr.write(`  watch of ${path} ended: ${String(error)}; starting again\n`);
        await sleep(200);
        await list();
      }
    }
  };
  await list();
  const following = follow();
  return {
    get: (name) => connectors.get(name),
    all: () => [...connectors.values()],
    stop: async () => {
      stopping.abort();
      await following;
      api.close();
    },
  };
}
