import { selectorLabels } from "#operator/cluster-pods.ts";
import type { KafkaConnect, KafkaConnector } from "#operator/kinds.ts";
import type { Pod } from "#operator/kube/resources.ts";

/** A KafkaConnect `my-connect` in namespace `ns`, as the API server serves it. */
export function kafkaConnect(spec: Partial<KafkaConnect["spec"]> = {}, more: Partial<KafkaConnect> = {}): KafkaConnect {
  return {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnect",
    metadata: { namespace: "ns", name: "my-connect", uid: "connect-uid", generation: 1 },
    ...more,
    spec: {
      replicas: 3,
      bootstrapServers: "my-kafka:9092",
      groupId: "my-connect",
      configStorageTopic: "my-connect-configs",
      offsetStorageTopic: "my-connect-offsets",
      statusStorageTopic: "my-connect-status",
      ...spec,
    },
  };
}

/** A KafkaConnector `orders` in namespace `ns` on `my-connect`, as the API server serves it. */
export function kafkaConnector(
  spec: Partial<KafkaConnector["spec"]> = {},
  more: { metadata?: Partial<KafkaConnector["metadata"]>; status?: KafkaConnector["status"] } = {},
): KafkaConnector {
  const { status } = more;
  return {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnector",
    metadata: {
      namespace: "ns",
      name: "orders",
      uid: "connector-uid",
      generation: 1,
      labels: { "headrace.dev/cluster": "my-connect" },
      ...more.metadata,
    },
    spec: {
      class: "datagen",
      tasksMax: 2,
      state: "running",
      deletionPolicy: "Delete",
      config: { topic: "orders" },
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  };
}

export interface PodTraits {
  readonly ip?: string;
  readonly ready?: boolean;
  readonly revision?: string;
  readonly cluster?: string;
  readonly namespace?: string;
  readonly status?: Pod["status"];
}

/** Pod number `ordinal` of a cluster, ready unless told otherwise. */
export function workerPod(ordinal: number, traits: PodTraits = {}): Pod {
  const {
    cluster = "my-connect",
    namespace = "ns",
    ready = true,
    revision = "",
    ip = `10.0.0.${ordinal + 1}`,
  } = traits;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace,
      name: `${cluster}-connect-${ordinal}`,
      labels: selectorLabels(cluster),
      annotations: { "headrace.dev/revision": revision },
    },
    spec: { containers: [{ name: `${cluster}-connect` }] },
    status: {
      podIP: ip,
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      ...traits.status,
    },
  };
}
