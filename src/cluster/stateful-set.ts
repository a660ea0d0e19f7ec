import { createHash } from "node:crypto";
import { CLUSTER_LABEL, type Probe } from "@headrace/contract";
import { selectorLabels, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { StatefulSet } from "../kube/resources.ts";
import { METRICS_PORT, objectLabels, objectMeta, REST_PORT, REVISION_ANNOTATION } from "./names.ts";

export type PodTemplate = NonNullable<StatefulSet["spec"]>["template"];

type PodSpec = NonNullable<PodTemplate["spec"]>;

export interface PodTemplateInputs {
  readonly configMapName: string;
  /** Image if the KafkaConnect names none. */
  readonly defaultImage: string;
}

const CONFIG_DIR = "/opt/headrace/config";

/** The template of worker pods, marked with its own hash as its revision. */
export function buildPodTemplate(connect: KafkaConnect, inputs: PodTemplateInputs): PodTemplate {
  const { name } = connect.metadata;
  const pod = connect.spec.template?.pod ?? {};
  const { metadata, securityContext, volumes = [], terminationGracePeriodSeconds = 30, ...others } = pod;
  const spec = toPodSpec({
    ...others,
    serviceAccountName: workloadName(name),
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds,
    affinity: pod.affinity ?? spreadOverNodes(name),
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" }, ...securityContext },
    containers: [buildContainer(connect, inputs)],
    volumes: [
      { name: "config", configMap: { name: inputs.configMapName } },
      { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
      ...volumes,
    ],
  });
  const labels = { ...metadata?.labels, ...objectLabels(name) };
  const annotations = metadata?.annotations ?? {};
  const revision = createHash("sha256")
    .update(JSON.stringify({ labels, annotations, spec }))
    .digest("hex")
    .slice(0, 10);
  return { metadata: { labels, annotations: { ...annotations, [REVISION_ANNOTATION]: revision } }, spec };
}

/** The revision that a template or a pod is marked with. */
export function revisionOf(object: PodTemplate): string {
  return object.metadata?.annotations?.[REVISION_ANNOTATION] ?? "";
}

/** The StatefulSet of a cluster. It never replaces pods by itself (OnDelete): rolling is the operator's. */
export function buildStatefulSet(connect: KafkaConnect, template: PodTemplate, replicas: number): StatefulSet {
  const { name } = connect.metadata;
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: objectMeta(connect, workloadName(name), connect.spec.template?.statefulSet?.metadata),
    spec: {
      replicas,
      serviceName: workloadName(name),
      podManagementPolicy: "Parallel",
      updateStrategy: { type: "OnDelete" },
      selector: { matchLabels: selectorLabels(name) },
      template,
    },
  };
}

/** Name of the container that runs the worker. */
export function containerName(cluster: string): string {
  return workloadName(cluster);
}

function buildContainer(connect: KafkaConnect, { defaultImage }: PodTemplateInputs) {
  const { name } = connect.metadata;
  const { image = defaultImage, resources, livenessProbe, readinessProbe, template } = connect.spec;
  const { env = [], securityContext, volumeMounts = [] } = template?.connectContainer ?? {};
  return {
    name: containerName(name),
    image,
    command: ["headrace-worker", "distributed", `${CONFIG_DIR}/worker.properties`],
    env: [
      fromField("POD_IP", "status.podIP"),
      fromField("POD_UID", "metadata.uid"),
      fromField("POD_NAME", "metadata.name"),
      ...env,
    ],
    ports: [
      { name: "rest-api", containerPort: REST_PORT, protocol: "TCP" },
      { name: "tcp-prometheus", containerPort: METRICS_PORT, protocol: "TCP" },
    ],
    ...(resources === undefined ? {} : { resources }),
    startupProbe: probe("/healthz", { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120 }),
    livenessProbe: probe("/healthz", { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3, ...livenessProbe }),
    readinessProbe: probe("/readyz", { periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 3, ...readinessProbe }),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
      ...securityContext,
    },
    volumeMounts: [
      { name: "config", mountPath: CONFIG_DIR, readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
      ...volumeMounts,
    ],
  };
}

function fromField(name: string, fieldPath: string) {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}

function probe(path: string, timing: Probe) {
  return { httpGet: { path, port: "tcp-prometheus" }, ...timing };
}

/** Prefers a node of its own for each worker. */
function spreadOverNodes(cluster: string) {
  const term = {
    labelSelector: { matchLabels: { [CLUSTER_LABEL]: cluster } },
    topologyKey: "kubernetes.io/hostname",
  };
  return {
    podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }] },
  };
}

/** The pod's spec as it goes over the wire; the API server checks what users put into it. */
function toPodSpec(fields: object): PodSpec {
  return JSON.parse(JSON.stringify(fields));
}
