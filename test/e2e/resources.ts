import { NAMESPACES } from "#dev/e2e/context.ts";

/** Everything that the release's tests apply. Names within the cluster of `make e2e`. */
export const [OPERATOR_NAMESPACE, NAMESPACE] = NAMESPACES;
export const CLUSTER = "moving";
/** Label that all workers of {@link CLUSTER} have. */
export const WORKERS = `headrace.dev/name=${CLUSTER}-connect`;
export const TOPIC = "numbers";
/** Sequences that the source counts by itself: record n belongs to sequence n modulo this. */
export const STREAMS = 6;
const CLAIM = "data";
const VOLUME = "headrace-e2e";

/** A namespace that refuses pods which do not keep to the restricted Pod Security Standard. */
export const restrictedNamespace = (name: string): object => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
});

/** A volume that shows a directory of the nodes to all workers. */
export function sharedVolume(path: string): readonly object[] {
  return [
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: VOLUME },
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteMany"],
        persistentVolumeReclaimPolicy: "Retain",
        storageClassName: "",
        claimRef: { namespace: NAMESPACE, name: CLAIM },
        hostPath: { path },
      },
    },
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: CLAIM, namespace: NAMESPACE },
      spec: {
        accessModes: ["ReadWriteMany"],
        storageClassName: "",
        volumeName: VOLUME,
        resources: { requests: { storage: "1Gi" } },
      },
    },
  ];
}

/** The user that OpenShift's `restricted-v2` gives pods, or one like it: images do not know it. */
export const FOREIGN_USER = { runAsUser: 1_000_660_000, fsGroup: 1_000_660_000 } as const;

/** What differs from the cluster that everything happens to: three workers, closed but for one token. */
export interface ClusterWishes {
  /** Of the workers' processes; without it the image's. */
  readonly user?: Readonly<Record<string, number>>;
  readonly name?: string;
  readonly replicas?: number;
  /** A setting that can be changed to roll the workers. */
  readonly flushMs?: number;
  /** A group that is not its own. */
  readonly groupId?: string;
  /** A topic that is not its own. */
  readonly statusTopic?: string;
  /** An image with a plugin. */
  readonly pluginImage?: string;
  /** The workers' image, instead of the operator's own choice. */
  readonly image?: string;
  /** A Secret that a variable of the workers' containers is to come from, and that does not exist. */
  readonly missingSecret?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Label of nodes that workers take their rack from. */
  readonly rackLabel?: string;
}

/** A Connect cluster; its topics and its group have its name. */
export function kafkaConnect(bootstrapServers: string, wishes: ClusterWishes = {}): object {
  const { name = CLUSTER, replicas = 3, flushMs = 1_000, groupId = name, statusTopic = `${name}-status` } = wishes;
  const { pluginImage, image, missingSecret, annotations = {}, rackLabel, user = {} } = wishes;
  const secretKeyRef = { name: missingSecret, key: "none" };
  return {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnect",
    metadata: { name, namespace: NAMESPACE, annotations },
    spec: {
      replicas,
      ...(image !== undefined && { image }),
      ...(rackLabel !== undefined && { rack: { type: "topology-label", topologyKey: rackLabel } }),
      bootstrapServers,
      groupId,
      configStorageTopic: `${name}-configs`,
      offsetStorageTopic: `${name}-offsets`,
      statusStorageTopic: statusTopic,
      config: {
        "config.storage.replication.factor": -1,
        "offset.storage.replication.factor": -1,
        "status.storage.replication.factor": -1,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "offset.flush.interval.ms": flushMs,
      },
      ...(pluginImage !== undefined && {
        plugins: [{ name: "beats", artifacts: [{ type: "image", reference: pluginImage }] }],
      }),
      resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } },
      rest: { tokens: [{ name: "tests", role: "read", secretKeyRef: { name: "rest-token", key: "token" } }] },
      template: {
        connectContainer: {
          volumeMounts: [{ name: CLAIM, mountPath: "/mnt/data" }],
          ...(missingSecret !== undefined && { env: [{ name: "MISSING", valueFrom: { secretKeyRef } }] }),
        },
        pod: {
          terminationGracePeriodSeconds: 60,
          securityContext: user,
          volumes: [{ name: CLAIM, persistentVolumeClaim: { claimName: CLAIM } }],
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: { matchLabels: { "headrace.dev/name": `${name}-connect` } },
            },
          ],
        },
      },
    },
  };
}

/** A connector, of {@link CLUSTER} unless another one is named. */
export function kafkaConnector(name: string, spec: Readonly<Record<string, unknown>>, cluster = CLUSTER): object {
  return {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnector",
    metadata: { name, namespace: NAMESPACE, labels: { "headrace.dev/cluster": cluster } },
    spec,
  };
}

/** Counts: 0, 1, 2, … as texts. */
export const source = (state: "running" | "stopped" = "running"): object =>
  kafkaConnector("source", {
    class: "datagen",
    tasksMax: 3,
    state,
    autoRestart: {},
    config: {
      topic: TOPIC,
      template: "{{sequence}}",
      "template.format": "text",
      "key.template": "{{sequence}}",
      "rate.per.second": 100,
      streams: STREAMS,
    },
  });

/** Writes what arrives into one file that is seen from everywhere; outlives its resource. */
export const sink = (): object =>
  kafkaConnector("sink", {
    class: "file-sink",
    tasksMax: 3,
    autoRestart: {},
    deletionPolicy: "Orphan",
    config: { topics: TOPIC, file: "/mnt/data/numbers.txt" },
  });

/** Peer of a NetworkPolicy: everything in the namespace. */
export const metricsFrom = (namespace: string): object => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
});

/** A pod with Node in it that does nothing by itself, within the restricted Pod Security Standard. */
export const stranger = (namespace: string, image: string, labels: Readonly<Record<string, string>> = {}): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "stranger", namespace, labels },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "stranger",
        image,
        command: ["node", "-e", "setInterval(() => {}, 1e9)"],
        resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "128Mi" } },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  },
});
