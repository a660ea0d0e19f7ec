import type { KubeObject, Store } from "./kube/client.ts";

/** The metadata of all Secrets and ConfigMaps: enough to notice that one has changed. What is in it is read only where it is named. */
export type SourceStores = Readonly<Record<"secrets" | "configMaps", Store<KubeObject>>>;
