/** Values for the chart, each for something that people do. */
export const GOOD: readonly (readonly [what: string, values: object])[] = [
  ["defaults", {}],
  ["the operator's own namespace", { watch: { mode: "own" } }],
  ["listed namespaces, one of them twice", { watch: { mode: "listed", namespaces: ["default", "default"] } }],
  ["three replicas", { replicas: 3, podDisruptionBudget: { maxUnavailable: "50%" } }],
  ["no election", { leaderElection: false, replicas: 1 }],
  [
    "images by digest from a registry of one's own",
    {
      image: { repository: "registry.example.com:5000/a/operator", digest: `sha256:${"a".repeat(64)}` },
      workerImage: { repository: "registry.example.com:5000/a/worker", digest: `sha256:${"b".repeat(64)}` },
      mavenImage: "registry.example.com:5000/maven:3.9",
      imagePullSecrets: [{ name: "pull" }],
      imagePullPolicy: "Always",
    },
  ],
  [
    "other operators' resources",
    { foreignApis: ["kafka.strimzi.io", "eventstreams.ibm.com"], watch: { mode: "listed", namespaces: ["default"] } },
  ],
  ["an older version of Strimzi's resources", { foreignApis: ["kafka.strimzi.io/v1beta2"] }],
  [
    "monitors",
    {
      metrics: {
        serviceMonitor: { enabled: true, labels: { release: "prometheus" }, interval: "30s" },
        podMonitor: { enabled: true },
        workerPodMonitor: { enabled: true, interval: "15s" },
      },
    },
  ],
  [
    "monitors of workers in one namespace",
    { watch: { mode: "own" }, metrics: { workerPodMonitor: { enabled: true } } },
  ],
  ["labels of nodes, for one namespace", { rack: { nodeLabels: true }, watch: { mode: "own" } }],
  ["the API for people", { api: { enabled: true }, networkPolicy: { apiFrom: [{ namespaceSelector: {} }] } }],
  [
    "the API for people with a certificate and tokens of its own",
    {
      api: { enabled: true, certificateSecret: "api-certificate", audiences: ["headrace", "ci"] },
      watch: { mode: "own" },
      extraVolumes: [{ name: "tmp", emptyDir: {} }],
      extraVolumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
    },
  ],
  ["the webhook, for all namespaces", { webhook: { enabled: true } }],
  [
    "the webhook, for other operators' resources, and where nobody watches",
    {
      webhook: { enabled: true, allNamespaces: true },
      watch: { mode: "listed", namespaces: ["default"] },
      foreignApis: ["kafka.strimzi.io/v1beta2", "eventstreams.ibm.com"],
    },
  ],
  [
    "the webhook, for listed namespaces",
    { webhook: { enabled: true, failurePolicy: "Fail" }, watch: { mode: "listed", namespaces: ["default"] } },
  ],
  [
    "closed network",
    {
      networkPolicy: {
        metricsFrom: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }],
        egress: [{ ports: [{ port: 443, protocol: "TCP" }] }, { ports: [{ port: 8083, protocol: "TCP" }] }],
      },
    },
  ],
  [
    "scheduling",
    {
      priorityClassName: "system-cluster-critical",
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ key: "infra", operator: "Exists", effect: "NoSchedule" }],
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "ScheduleAnyway" },
      ],
      affinity: { nodeAffinity: {} },
    },
  ],
  [
    "extras",
    {
      commonLabels: { team: "platform" },
      podLabels: { "sidecar.istio.io/inject": "false" },
      podAnnotations: { "example.com/note": "a: b" },
      deploymentAnnotations: { "example.com/note": "c" },
      serviceAccount: { annotations: { "example.com/role": "r" } },
      service: { labels: { exposed: "inside" }, annotations: { "example.com/port": "8080" } },
      extraEnv: [{ name: "HTTPS_PROXY", value: "http://proxy:3128" }],
      extraEnvFrom: [{ configMapRef: { name: "environment", optional: true } }],
      extraVolumes: [{ name: "tmp", emptyDir: {} }],
      extraVolumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
      extraObjects: [
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "more" }, data: { a: "b" } },
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-more\n",
      ],
    },
  ],
  [
    "everything from elsewhere",
    {
      crds: { install: false },
      rbac: { create: false },
      serviceAccount: { create: false, name: "given" },
      podDisruptionBudget: { enabled: false },
      networkPolicy: { enabled: false },
      test: { enabled: false },
    },
  ],
  [
    "no rights beyond a namespace",
    { watch: { mode: "own" }, rbac: { aggregateRoles: false }, crds: { install: false } },
  ],
  ["long names", { fullnameOverride: "a".repeat(80), nameOverride: "b".repeat(80) }],
  ["as a dependency", { enabled: true, global: { imageRegistry: "x" } }],
];

/** Values that are refused, with what the schema says of them. */
export const BAD: readonly (readonly [what: string, values: object, message: RegExp])[] = [
  ["a misspelt value", { replica: 2 }, /additional properties 'replica' not allowed/],
  ["a misspelt value in a group", { crds: { instal: false } }, /additional properties 'instal' not allowed/],
  ["several replicas without election", { leaderElection: false, replicas: 2 }, /replicas.*maximum/],
  ["a list of namespaces that is empty", { watch: { mode: "listed" } }, /namespaces.*minItems/],
  ["a name that no namespace has", { watch: { mode: "listed", namespaces: ["A_b"] } }, /namespaces\/0.*pattern/],
  ["an unknown mode", { watch: { mode: "some" } }, /watch\/mode.*one of/],
  ["a digest that is none", { image: { digest: "sha256:abc" } }, /image\/digest.*pattern/],
  ["an unknown API", { foreignApis: ["example.com"] }, /foreignApis\/0.*one of/],
  ["a number as text", { replicas: "2" }, /replicas.*want integer/],
  ["a policy of pulling that is none", { imagePullPolicy: "Sometimes" }, /imagePullPolicy.*one of/],
  ["an interval that is none", { metrics: { podMonitor: { interval: "often" } } }, /interval.*pattern/],
];
