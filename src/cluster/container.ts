import type { ContainerTemplate, KafkaConnectSpec, Probe } from "@headrace/contract";
import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import { API_ACCESS_DIR } from "./api-access.ts";
import { METRICS_PORT, REST_PORT } from "./names.ts";
import { toPlugins } from "./plugins.ts";
import { CONFIG_DIR, fetchMounts, workerMounts } from "./volumes.ts";

/** Name of the container that runs the worker. */
export function containerName(cluster: string): string {
  return workloadName(cluster);
}

/** The container that runs the worker. */
export function buildWorkerContainer(connect: KafkaConnect, defaultImage: string) {
  const { name } = connect.metadata;
  const { image = defaultImage, resources, livenessProbe, readinessProbe, template } = connect.spec;
  const { env = [] } = template?.connectContainer ?? {};
  return {
    name: containerName(name),
    image,
    command: ["headrace-worker", "distributed", `${CONFIG_DIR}/worker.properties`],
    env: [
      fromField("POD_IP", "status.podIP"),
      fromField("POD_UID", "metadata.uid"),
      fromField("POD_NAME", "metadata.name"),
      { name: "HEADRACE_SERVICE_ACCOUNT_DIR", value: API_ACCESS_DIR },
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
    terminationMessagePolicy: "FallbackToLogsOnError",
    securityContext: restricted(template?.connectContainer),
    volumeMounts: workerMounts(connect.spec),
  };
}

/** The containers that run before the worker: one that fetches plugins, if there are any to fetch. */
export function buildInitContainers({ spec }: KafkaConnect, defaultImage: string): readonly object[] {
  const { archives } = toPlugins(spec.plugins);
  if (archives.length === 0) return [];
  const { image = defaultImage, template } = spec;
  const fetches = archives.flatMap(({ directory, url, integrity }) => [directory, url, integrity]);
  return [
    {
      name: "fetch-plugins",
      image: spec.runtime === "Jvm" ? defaultImage : image,
      command: ["headrace-worker", "fetch", ...fetches],
      ...withEnv(template?.initContainer),
      ...fetchResources(spec),
      terminationMessagePolicy: "FallbackToLogsOnError",
      securityContext: restricted(template?.initContainer),
      volumeMounts: fetchMounts(spec),
    },
  ];
}

/** As the worker, so that the pod's limits stay what the user gave; a namespace with quotas wants them on every container. */
function fetchResources({ resources }: KafkaConnectSpec) {
  return resources === undefined ? {} : { resources };
}

function withEnv(template: ContainerTemplate | undefined) {
  return template?.env === undefined || template.env.length === 0 ? {} : { env: template.env };
}

/** What the restricted Pod Security Standard asks of a container; users may say otherwise. */
function restricted(template: ContainerTemplate | undefined): object {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
    ...template?.securityContext,
  };
}

function fromField(name: string, fieldPath: string) {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}

function probe(path: string, timing: Probe) {
  return { httpGet: { path, port: "tcp-prometheus" }, ...timing };
}
