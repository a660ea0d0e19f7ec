import type { ContainerTemplate, KafkaConnectSpec, Probe } from "@headrace/contract";
import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";

import { API_ACCESS_DIR } from "./api-access.ts";

import { ARTIFACTS_DIR, type FileArtifact, type MavenArtifact, toArtifacts } from "./artifacts.ts";
import { type EnvironmentEntry, toEnvironment } from "./environment.ts";
import { hasJmx, JMX_PORT } from "./jmx-access.ts";
import { jvmCommand, jvmEnvironment, jvmProbes } from "./jvm-worker.ts";

import { METRICS_PORT, REST_PORT } from "./names.ts";
import { toPlugins } from "./plugins.ts";
import { RACK_CONTAINER, type RackSource, rackCommand, rackEnvironment, rackSource } from "./rack.ts";
import { artifactMounts, CONFIG_DIR, fetchMounts, rackMounts, workerMounts } from "./volumes.ts";

/** Name of the container that runs the worker. */
export function containerName(cluster: string): string {
  return workloadName(cluster);
}

/** The container that runs the worker. */
export function buildWorkerContainer(
  connect: KafkaConnect,
  defaultImage: string,
  rack: RackSource = rackSource(connect.spec, false),
) {
  const { name } = connect.metadata;
  const { image = defaultImage, resources, template } = connect.spec;
  const jvm = connect.spec.runtime === "Jvm";
  return {
    name: containerName(name),
    image,
    command: jvm ? jvmCommand(connect.spec) : ["headrace-worker", "distributed", `${CONFIG_DIR}/worker.properties`],
    env: toEnvironment(workerEnvironment(connect, rack), template?.connectContainer?.env),
    ports: [
      { name: "rest-api", containerPort: REST_PORT, protocol: "TCP" },
      { name: "tcp-prometheus", containerPort: METRICS_PORT, protocol: "TCP" },
      ...(hasJmx(connect.spec) ? [{ name: "jmx", containerPort: JMX_PORT, protocol: "TCP" }] : []),
    ],
    ...(resources === undefined ? {} : { resources }),
    ...(jvm ? jvmProbes(connect.spec) : workerProbes(connect.spec)),
    terminationMessagePolicy: "FallbackToLogsOnError",
    securityContext: restricted(template?.connectContainer),
    volumeMounts: workerMounts(connect.spec, rack),
  };
}

/** The variables that the operator gives the worker. */
export function workerEnvironment(connect: KafkaConnect, rack: RackSource): readonly EnvironmentEntry[] {
  return [
    fromField("POD_IP", "status.podIP"),
    fromField("POD_UID", "metadata.uid"),
    fromField("POD_NAME", "metadata.name"),
    API_ACCESS,
    ...(connect.spec.runtime === "Jvm" ? jvmEnvironment(connect) : []),
    ...rackEnvironment(rack),
  ];
}

function workerProbes({ livenessProbe, readinessProbe }: KafkaConnectSpec) {
  return {
    startupProbe: probe("/healthz", { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120 }),
    livenessProbe: probe("/healthz", { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3, ...livenessProbe }),
    readinessProbe: probe("/readyz", { periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 3, ...readinessProbe }),
  };
}

const API_ACCESS = { name: "HEADRACE_SERVICE_ACCOUNT_DIR", value: API_ACCESS_DIR };

/** The containers that run before the worker: one that reads its node, and those that fetch plugins, if there is anything to read or fetch. */
export function buildInitContainers({ spec }: KafkaConnect, images: Images, rack: RackSource): readonly object[] {
  return [...readRack(spec, images, rack), ...fetchPlugins(spec, images), ...fetchArtifacts(spec, images)];
}

function readRack(spec: KafkaConnectSpec, images: Images, rack: RackSource): readonly object[] {
  if (rack.kind !== "node-label") return [];
  const { image = images.worker, template } = spec;
  return [
    {
      name: RACK_CONTAINER,
      image: spec.runtime === "Jvm" ? images.worker : image,
      command: rackCommand(rack.label),
      env: toEnvironment([fromField("NODE_NAME", "spec.nodeName"), API_ACCESS], template?.initContainer?.env),
      ...fetchResources(spec),
      terminationMessagePolicy: "FallbackToLogsOnError",
      securityContext: restricted(template?.initContainer),
      volumeMounts: rackMounts(spec),
    },
  ];
}

/** Images of containers for which the KafkaConnect names none. */
export interface Images {
  readonly worker: string;
  readonly maven: string;
}

function fetchPlugins(spec: KafkaConnectSpec, images: Images): readonly object[] {
  const { archives } = toPlugins(spec.plugins);
  if (archives.length === 0) return [];
  const { image = images.worker, template } = spec;
  const fetches = archives.flatMap(({ directory, url, integrity }) => [directory, url, integrity]);
  return [
    {
      name: "fetch-plugins",
      image: spec.runtime === "Jvm" ? images.worker : image,
      command: ["headrace-worker", "fetch", ...fetches],
      ...withEnv(template?.initContainer),
      ...fetchResources(spec),
      terminationMessagePolicy: "FallbackToLogsOnError",
      securityContext: restricted(template?.initContainer),
      volumeMounts: fetchMounts(spec),
    },
  ];
}

/** What `spec.build` names: files by Headrace's worker image, Maven's artifacts by Maven. */
function fetchArtifacts(spec: KafkaConnectSpec, images: Images): readonly object[] {
  const { files, insecureFiles, maven } = toArtifacts(spec);
  const { initContainer } = spec.template ?? {};
  const resources = spec.build?.resources ?? spec.resources;
  const common = {
    ...(resources === undefined ? {} : { resources }),
    terminationMessagePolicy: "FallbackToLogsOnError",
    securityContext: restricted(initContainer),
    volumeMounts: artifactMounts(spec),
  };
  const environment = (own: readonly EnvironmentEntry[]) => {
    const env = toEnvironment(own, initContainer?.env);
    return env.length === 0 ? {} : { env };
  };
  const fetching = (name: string, list: readonly FileArtifact[], env: readonly EnvironmentEntry[]) => {
    if (list.length === 0) return [];
    const command = ["headrace-worker", "fetch-artifacts", ...list.map((file) => JSON.stringify(file))];
    return [{ name, image: images.worker, command, ...environment(env), ...common }];
  };
  return [
    ...fetching("fetch-artifacts", files, []),
    ...fetching("fetch-artifacts-insecure", insecureFiles, [{ name: "NODE_TLS_REJECT_UNAUTHORIZED", value: "0" }]),
    ...maven.map((artifact, index) => ({
      name: `fetch-maven-${index}`,
      image: images.maven,
      command: mavenCommand(artifact),
      ...environment([{ name: "HOME", value: "/tmp" }]),
      ...common,
    })),
  ];
}

function mavenCommand({ directory, pom, settings, includeScope, insecure }: MavenArtifact): readonly string[] {
  return [
    "mvn",
    "--batch-mode",
    "--no-transfer-progress",
    `-Dmaven.repo.local=${ARTIFACTS_DIR}/maven`,
    ...(insecure ? ["-Daether.connector.https.securityMode=insecure"] : []),
    ...(settings === null ? [] : ["--settings", `${CONFIG_DIR}/${settings}`]),
    "--file",
    `${CONFIG_DIR}/${pom}`,
    "dependency:copy-dependencies",
    `-DoutputDirectory=${directory}`,
    `-DincludeScope=${includeScope}`,
  ];
}

/** As the worker, so that the pod's limits stay what the user gave; a namespace with quotas wants them on every container. */
function fetchResources({ resources }: KafkaConnectSpec) {
  return resources === undefined ? {} : { resources };
}

function withEnv(template: ContainerTemplate | undefined) {
  return template?.env === undefined || template.env.length === 0 ? {} : { env: toEnvironment([], template.env) };
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
