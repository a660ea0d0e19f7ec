/** Everything that the release's tests apply. Names within the cluster of `make e2e`. */
export const OPERATOR_NAMESPACE = "headrace";
export const NAMESPACE = "streams";
export const CLUSTER = "moving";
/** Label that all workers of {@link CLUSTER} have. */
export const WORKERS = `headrace.dev/name=${CLUSTER}-connect`;
export const TOPIC = "numbers";
/** Sequences that the source counts by itself: record n belongs to sequence n modulo this. */
export const STREAMS = 6;
const CLAIM = "data";

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
      metadata: { name: CLAIM },
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
        volumeName: CLAIM,
        resources: { requests: { storage: "1Gi" } },
      },
    },
  ];
}

/** Three workers, closed but for one token; `flushMs` is a setting that can be changed to roll them. */
export function kafkaConnect(bootstrapServers: string, { flushMs = 1_000 } = {}): object {
  return {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnect",
    metadata: { name: CLUSTER, namespace: NAMESPACE },
    spec: {
      replicas: 3,
      bootstrapServers,
      groupId: CLUSTER,
      configStorageTopic: `${CLUSTER}-configs`,
      offsetStorageTopic: `${CLUSTER}-offsets`,
      statusStorageTopic: `${CLUSTER}-status`,
      config: {
        "config.storage.replication.factor": -1,
        "offset.storage.replication.factor": -1,
        "status.storage.replication.factor": -1,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "offset.flush.interval.ms": flushMs,
      },
      resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } },
      rest: { tokens: [{ name: "tests", role: "read", secretKeyRef: { name: "rest-token", key: "token" } }] },
      template: {
        connectContainer: { volumeMounts: [{ name: CLAIM, mountPath: "/mnt/data" }] },
        pod: {
          terminationGracePeriodSeconds: 60,
          volumes: [{ name: CLAIM, persistentVolumeClaim: { claimName: CLAIM } }],
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: { matchLabels: { "headrace.dev/name": `${CLUSTER}-connect` } },
            },
          ],
        },
      },
    },
  };
}

/** A connector of {@link CLUSTER}. */
export function kafkaConnector(name: string, spec: Readonly<Record<string, unknown>>): object {
  return {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnector",
    metadata: { name, namespace: NAMESPACE, labels: { "headrace.dev/cluster": CLUSTER } },
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
