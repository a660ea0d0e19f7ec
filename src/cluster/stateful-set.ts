import { createHash } from "node:crypto";
import { API_GROUP, CLUSTER_LABEL } from "@headrace/contract";
import { REST_SCHEME_ANNOTATION, selectorLabels, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { StatefulSet } from "../kube/resources.ts";
import { buildInitContainers, buildWorkerContainer, containerName, type Images } from "./container.ts";
import { JMX_HASH_ANNOTATION, jmxSecretName } from "./jmx-access.ts";
import { CERTIFICATES_ANNOTATION, objectLabels, objectMeta, REVISION_ANNOTATION, restSecretName } from "./names.ts";
import { type RackSource, rackAffinity } from "./rack.ts";
import { isResizedInPlace } from "./resize.ts";
import { restScheme } from "./rest-security.ts";
import { toTolerations } from "./tolerations.ts";
import { trustSecretName } from "./trust-secret.ts";
import { buildVolumes } from "./volumes.ts";

export { containerName };

export type PodTemplate = NonNullable<StatefulSet["spec"]>["template"];

type PodSpec = NonNullable<PodTemplate["spec"]>;

export interface PodTemplateInputs {
  readonly configMapName: string;
  readonly images: Images;
  /** Changes with the credentials for Kafka; "" if there are none. */
  readonly authHash: string;
  /** Changes with the values of Secrets and ConfigMaps that workers read once, at their start; "" if there are none. */
  readonly sourcesHash: string;
  /** The certificates that workers read once, at their start; "" if they read none so. */
  readonly certificates: string;
  /** Changes with user and password of JMX; "" if there are none. */
  readonly jmxHash: string;
  readonly rack: RackSource;
}

/** On a worker pod: changes with what is in the Secrets that it was started with. */
export const AUTH_HASH_ANNOTATION = `${API_GROUP}/auth-hash`;

/** Likewise, of the values of Secrets and ConfigMaps that its worker's configuration names. */
export const SOURCES_HASH_ANNOTATION = `${API_GROUP}/sources-hash`;

/** The template of worker pods, marked with its own hash as its revision. */
export function buildPodTemplate(connect: KafkaConnect, inputs: PodTemplateInputs): PodTemplate {
  const { name } = connect.metadata;
  const pod = connect.spec.template?.pod ?? {};
  const { metadata, securityContext, terminationGracePeriodSeconds = 30, ...others } = pod;
  const { volumes: _own, templatedVolumes: _perPod, tmpDirSizeLimit: _tmp, ...placement } = others;
  const initContainers = buildInitContainers(connect, inputs.images, inputs.rack);
  const spec = toPodSpec({
    ...placement,
    serviceAccountName: workloadName(name),
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds,
    affinity: pod.affinity ?? rackAffinity(inputs.rack, { [CLUSTER_LABEL]: name }) ?? spreadOverNodes(name),
    tolerations: toTolerations(pod.tolerations),
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" }, ...securityContext },
    ...(initContainers.length === 0 ? {} : { initContainers }),
    containers: [buildWorkerContainer(connect, inputs.images.worker, inputs.rack)],
    volumes: buildVolumes(connect.spec, {
      ...inputs,
      trustSecretName: trustSecretName(name),
      restSecretName: restSecretName(name),
      jmxSecretName: jmxSecretName(name),
    }),
  });
  const labels = { ...metadata?.labels, ...objectLabels(name) };
  const annotations = {
    ...metadata?.annotations,
    ...(restScheme(connect.spec) === "https" ? { [REST_SCHEME_ANNOTATION]: "https" } : {}),
    ...(inputs.certificates === "" ? {} : { [CERTIFICATES_ANNOTATION]: inputs.certificates }),
    ...(inputs.authHash === "" ? {} : { [AUTH_HASH_ANNOTATION]: inputs.authHash }),
    ...(inputs.sourcesHash === "" ? {} : { [SOURCES_HASH_ANNOTATION]: inputs.sourcesHash }),
    ...(inputs.jmxHash === "" ? {} : { [JMX_HASH_ANNOTATION]: inputs.jmxHash }),
  };
  const revision = createHash("sha256")
    .update(JSON.stringify({ labels, annotations, spec: isResizedInPlace(connect) ? withoutResources(spec) : spec }))
    .digest("hex")
    .slice(0, 10);
  return { metadata: { labels, annotations: { ...annotations, [REVISION_ANNOTATION]: revision } }, spec };
}

/** What cannot be changed in a running pod. */
function withoutResources(spec: PodSpec): object {
  const strip = ({ resources: _resources, ...container }: PodSpec["containers"][number]) => container;
  const { initContainers = [], containers } = spec;
  return { ...spec, initContainers: initContainers.map(strip), containers: containers.map(strip) };
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
    metadata: objectMeta(connect, workloadName(name), extraMetadata(connect)),
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

/** Strimzi's name for it counts, too. */
function extraMetadata({ spec }: KafkaConnect) {
  const { podSet, statefulSet } = spec.template ?? {};
  const labels = { ...podSet?.metadata?.labels, ...statefulSet?.metadata?.labels };
  const annotations = { ...podSet?.metadata?.annotations, ...statefulSet?.metadata?.annotations };
  return { labels, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) };
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
