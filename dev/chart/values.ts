import { EVENT_STREAMS, STRIMZI } from "@headrace/contract";
import { z } from "zod";

/** A part of a pod or of object metadata that the chart passes on; the API server checks it. */
const passed = () => z.looseObject({});
const labels = (text: string) => z.record(z.string(), z.string()).default({}).describe(text);
const list = (text: string) => z.array(passed()).default([]).describe(text);

const image = (text: string, repository: string) =>
  z
    .strictObject({
      repository: z.string().min(1).default(repository).describe("Registry and name."),
      tag: z.string().default("").describe("Tag. Empty: the chart's appVersion."),
      digest: z
        .string()
        .regex(/^(sha256:[0-9a-f]{64})?$/)
        .default("")
        .describe("Digest, sha256:…; it goes before the tag."),
    })
    .describe(text);

const Namespace = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
/** A group, then in its newest version, or a group and version. */
const foreignApi = z.enum(
  [STRIMZI, EVENT_STREAMS].flatMap(({ group, versions }) => [
    group,
    ...versions.map((version) => `${group}/${version}`),
  ]),
);

/** Labels that Prometheus chooses monitors by, and how often it asks. */
const monitor = (text: string) =>
  z
    .strictObject({
      enabled: z.boolean().default(false).describe("Whether it is made. Needs the CRDs of the Prometheus operator."),
      labels: labels("Labels that your Prometheus looks for."),
      interval: z
        .string()
        .regex(/^([0-9]+(ms|s|m|h))?$/)
        .default("")
        .describe("How often it is asked, such as 30s. Empty: as Prometheus does by default."),
    })
    .describe(text);

/**
 * The values of the chart `charts/headrace`: `values.yaml`, `values.schema.json` and the README's table are made of this declaration.
 * Every leaf has a default and a description.
 */
export const ChartValues = z.strictObject({
  nameOverride: z.string().default("").describe("Replaces the chart's name in the names of objects."),
  fullnameOverride: z.string().default("").describe("The name of all objects. Empty: made of the release's name."),
  commonLabels: labels("Labels of all objects."),

  image: image("The operator's image.", "ghcr.io/headrace/operator"),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).default("IfNotPresent").describe("When it is pulled."),
  workerImage: image("The image of workers whose KafkaConnect names none.", "ghcr.io/headrace/worker"),
  mavenImage: z
    .string()
    .default("")
    .describe("The image that fetches Maven artifacts of spec.build. Empty: Maven's own."),
  rack: z
    .strictObject({
      nodeLabels: z
        .boolean()
        .default(false)
        .describe(
          "Whether workers may read any label of their node, for spec.rack.topologyKey. Those of a KafkaConnect that asks for it may then " +
            "read all nodes of the cluster. Needs cluster-wide rights.",
        ),
    })
    .describe("Where workers are, docs/kafka-connect.md."),

  imagePullSecrets: z
    .array(z.strictObject({ name: z.string().min(1) }))
    .default([])
    .describe("Secrets for the operator's image. Those of workers are in each KafkaConnect's spec.template.pod."),

  watch: z
    .strictObject({
      mode: z
        .enum(["all", "own", "listed"])
        .default("all")
        .describe(
          "Where KafkaConnects and KafkaConnectors are worked on: in all namespaces, in the release's own, or in those of `namespaces`. " +
            "Only `all` makes a ClusterRole for the operator; the others make a Role in each namespace.",
        ),
      namespaces: z.array(Namespace).default([]).describe("The namespaces of mode `listed`. They must exist."),
      selector: z
        .string()
        .default("")
        .describe(
          "Labels of the KafkaConnects to work on, such as team=shop, with the KafkaConnectors on them; others are for other releases. Empty: all.",
        ),
    })
    .describe("Where the operator works."),
  foreignApis: z
    .array(foreignApi)
    .default([])
    .describe(
      "Other operators' APIs in which resources with the annotation headrace.dev/managed are worked on: kafka.strimzi.io, eventstreams.ibm.com, or one of them with its version, as in kafka.strimzi.io/v1beta2.",
    ),
  workerNetworkPolicies: z.boolean().default(true).describe("Whether workers get a NetworkPolicy."),
  rollTimeoutSeconds: z
    .int()
    .min(1)
    .default(300)
    .describe("How long a worker of a new revision may take to get ready before the last good one is restored."),
  logLevel: z
    .enum(["trace", "debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("Least important level that is logged."),

  crds: z
    .strictObject({
      install: z
        .boolean()
        .default(true)
        .describe(
          "Whether the CRDs come with this chart. Turn it off if headrace-crds or somebody else installs them.",
        ),
      keep: z
        .boolean()
        .default(true)
        .describe("Whether the CRDs, and with them all resources, stay when the chart is uninstalled."),
    })
    .describe("Custom resource definitions."),

  rbac: z
    .strictObject({
      create: z.boolean().default(true).describe("Whether the operator's roles and bindings are made."),
      aggregateRoles: z
        .boolean()
        .default(true)
        .describe(
          "Whether the cluster's roles view, edit and admin are given rights on Headrace's resources. Needs cluster-wide rights.",
        ),
    })
    .describe("Rights."),
  serviceAccount: z
    .strictObject({
      create: z.boolean().default(true).describe("Whether it is made."),
      name: z.string().default("").describe("Its name. Empty: the full name, or `default` if it is not made."),
      annotations: labels("Its annotations."),
    })
    .describe("The operator's ServiceAccount."),

  api: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe(
          "Whether people use the REST APIs of clusters with their Kubernetes tokens. Needs cluster-wide rights.",
        ),
      certificateSecret: z
        .string()
        .default("")
        .describe("Secret with tls.crt and tls.key for it. Empty: the operator makes its own certificate."),
      audiences: z.array(z.string()).default([]).describe("Whom tokens must be meant for. Empty: the Kubernetes API."),
    })
    .describe("The API for people, docs/operator.md. Its Service is headrace-operator-api."),
  webhook: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe("Whether resources are checked when they are applied. Its configuration is a cluster-wide object."),
      failurePolicy: z
        .enum(["Ignore", "Fail"])
        .default("Ignore")
        .describe("What becomes of resources while no operator answers: they are accepted unchecked, or refused."),
      allNamespaces: z
        .boolean()
        .default(false)
        .describe(
          "Whether resources of namespaces that are not watched are checked as well, with a warning that nothing comes of them. For a cluster with one operator.",
        ),
    })
    .describe("The admission webhook, docs/operator.md. The operator keeps its certificates itself."),

  replicas: z.int().min(0).default(1).describe("Operator pods. One works, the others stand by to take over."),
  leaderElection: z
    .boolean()
    .default(true)
    .describe("Whether one of several operators is elected. Without it at most one replica may run."),
  podDisruptionBudget: z
    .strictObject({
      enabled: z.boolean().default(true).describe("Whether it is made."),
      maxUnavailable: z
        .union([z.int().min(0), z.string().regex(/^[0-9]{1,3}%$/)])
        .default(1)
        .describe("How many pods evictions may take at a time."),
    })
    .describe("Disruption budget of the operator."),

  service: z
    .strictObject({
      annotations: labels("Its annotations."),
      labels: labels("Further labels of it."),
    })
    .describe("The Service in front of the operator's ports."),
  metrics: z
    .strictObject({
      serviceMonitor: monitor("ServiceMonitor of the operator."),
      podMonitor: monitor("PodMonitor of the operator, for clusters that do without ServiceMonitors."),
      workerPodMonitor: monitor("PodMonitor of the workers, in the namespaces that are watched."),
    })
    .describe("Metrics for the Prometheus operator."),
  networkPolicy: z
    .strictObject({
      enabled: z.boolean().default(true).describe("Whether it is made."),
      metricsFrom: list("Peers that may ask for metrics and probes. Empty: everybody."),
      apiFrom: list("Peers that may use the API for people. Empty: everybody."),
      egress: list("What the operator may open connections to, as rules. Empty: everything."),
    })
    .describe("NetworkPolicy of the operator."),

  resources: passed()
    .default({ requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } })
    .describe("CPU and memory of the operator."),
  podSecurityContext: passed()
    .default({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } })
    .describe(
      "Security context of the pod. No user or group is fixed: OpenShift gives one, elsewhere it is the image's.",
    ),
  securityContext: passed()
    .default({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    })
    .describe("Security context of the container."),
  podLabels: labels("Further labels of the pods."),
  podAnnotations: labels("Annotations of the pods."),
  deploymentAnnotations: labels("Annotations of the Deployment."),
  priorityClassName: z.string().default("").describe("Priority class of the pods."),
  nodeSelector: labels("Labels of the nodes to run on."),
  tolerations: list("Taints of nodes that are tolerated."),
  affinity: passed().default({}).describe("Affinity. Empty: replicas rather on different nodes."),
  topologySpreadConstraints: list("Spread over zones or nodes; without a labelSelector the chart's own is used."),
  terminationGracePeriodSeconds: z
    .int()
    .min(0)
    .default(30)
    .describe("Time for reconciles under way when a pod is stopped."),
  extraEnv: list("Further environment variables of the operator, as in a container."),
  extraEnvFrom: list("ConfigMaps and Secrets to take environment variables from, as in a container."),
  extraVolumes: list("Further volumes of the pods."),
  extraVolumeMounts: list("Where they are mounted."),
  extraObjects: z
    .array(z.union([z.string(), passed()]))
    .default([])
    .describe("Further objects to apply with the release: objects, or texts that are templates."),

  test: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe("Whether `helm test` has something to run: a pod that asks the operator whether it is ready."),
    })
    .describe("Test of the release."),

  enabled: z
    .boolean()
    .default(true)
    .describe("For charts that have this one as a dependency with a condition; no effect by itself."),
  global: passed().default({}).describe("Values of a parent chart; no effect."),
});
