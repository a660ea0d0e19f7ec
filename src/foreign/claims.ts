import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { KubeClient, KubeObject, ObjectKey, Store } from "../kube/client.ts";
import { ownedStore } from "../kube/derived-store.ts";
import type { Pod, StatefulSet } from "../kube/resources.ts";
import { createForeignClient } from "./client.ts";
import type { ForeignApi, ForeignObject } from "./dialect.ts";
import { createStatusMemory } from "./status-memory.ts";
import { createClaimedStores } from "./stores.ts";

/** All that the controllers of one API group work with. */
export interface GroupStores {
  readonly connects: Store<KafkaConnect>;
  readonly connectors: Store<KafkaConnector>;
  /** Whether a KafkaConnect is another operator's. */
  readonly isOthers?: (cluster: ObjectKey) => boolean;
  readonly statefulSets: Store<StatefulSet>;
  readonly pods: Store<Pod>;
}

export interface ClaimsOptions {
  readonly api: ForeignApi;
  readonly kube: KubeClient;
  readonly connects: Store<ForeignObject>;
  /** Also those that other operators work on. */
  readonly everywhere: Store<ForeignObject>;
  readonly connectors: Store<ForeignObject>;
  readonly statefulSets: Store<StatefulSet>;
  readonly pods: Store<Pod>;
  readonly now: () => number;
}

/** What is claimed in another group, as the controllers of our own kinds see it. `close` ends following it. */
export interface Claims {
  readonly stores: GroupStores;
  readonly kube: KubeClient;
  readonly close: () => void;
}

export function openClaims({ api, kube, statefulSets, pods, ...options }: ClaimsOptions): Claims {
  const memory = createStatusMemory();
  const claimed = createClaimedStores({ api, memory, ...options });
  return {
    stores: {
      connects: claimed.connects,
      connectors: claimed.connectors,
      isOthers: claimed.isOthers,
      ...ownedBy(api.dialect.group, { statefulSets, pods }),
    },
    kube: createForeignClient({ kube, api, memory, original: claimed.original, written: claimed.refresh }),
    close: claimed.close,
  };
}

/** StatefulSets of KafkaConnects of one group, and their pods: clusters of two groups may have one name. */
export function ownedBy(
  group: string,
  { statefulSets, pods }: Pick<GroupStores, "statefulSets" | "pods">,
): Pick<GroupStores, "statefulSets" | "pods"> {
  const isOfGroup = (object: KubeObject | undefined) =>
    object?.metadata.ownerReferences?.some(
      ({ kind, apiVersion }) => kind === "KafkaConnect" && apiVersion.startsWith(`${group}/`),
    ) === true;
  return {
    statefulSets: ownedStore(statefulSets, isOfGroup),
    pods: ownedStore(pods, (pod) => {
      const { namespace = "", ownerReferences = [] } = pod.metadata;
      const set = ownerReferences.find(({ kind }) => kind === "StatefulSet");
      return set === undefined ? isOfGroup(pod) : isOfGroup(statefulSets.get({ namespace, name: set.name }));
    }),
  };
}
