import { z } from "zod";
import { PluginInfo } from "../rest/connect.ts";
import { AllowedNamespaces } from "./allowed-namespaces.ts";
import { Authentication } from "./authentication.ts";
import { Build } from "./build.ts";
import { Conditions } from "./condition.ts";
import { ConfigValues } from "./config-values.ts";
import { JmxOptions, JvmOptions } from "./jvm-options.ts";
import { Logging } from "./logging.ts";
import { MetricsConfig } from "./metrics-config.ts";
import { MountedPlugins } from "./mounted-plugins.ts";
import { Rack } from "./rack.ts";
import { Probe, Resources } from "./resources.ts";
import { RestAccess } from "./rest-access.ts";
import { Template } from "./template.ts";
import { Tls } from "./tls.ts";

const HOST_PORT = "(\\\\[[0-9a-fA-F:.]+\\\\]|[A-Za-z0-9._-]+):[0-9]{1,5}";

const bootstrapServers = z
  .string()
  .min(1)
  .max(2048)
  .describe("Kafka brokers to start from: a comma-separated list of host:port.")
  .meta({
    "x-kubernetes-validations": [
      {
        rule: `self.matches('^\\\\s*${HOST_PORT}\\\\s*(,\\\\s*${HOST_PORT}\\\\s*)*$')`,
        message: "bootstrapServers must be a comma-separated list of host:port, for instance kafka-0:9092,kafka-1:9092",
      },
    ],
  });

function storageTopic(field: string, holds: string) {
  return z
    .string()
    .min(1)
    .max(249)
    .describe(`Topic that keeps ${holds}. Compacted; made by the first worker. Can change only at zero replicas.`)
    .meta({
      "x-kubernetes-validations": [
        {
          rule: "self.matches('^[A-Za-z0-9._-]+$') && self != '.' && self != '..'",
          message: `${field} must be a Kafka topic name: letters, digits, '.', '_' and '-' only`,
        },
      ],
    });
}

function fixedWhileRunning(field: string) {
  return {
    rule: `oldSelf.replicas == 0 || self.${field} == oldSelf.${field}`,
    message: `${field} can change only while replicas is 0: scale the cluster to zero, change it, then scale up again`,
    fieldPath: `.${field}`,
    reason: "FieldValueForbidden",
  };
}

/** What a user asks of a Connect cluster. Strimzi's v1 shape. */
export const KafkaConnectSpec = z
  .object({
    version: z.string().min(1).optional().describe("Kafka version of the cluster, for information."),
    runtime: z
      .enum(["Headrace", "Jvm"])
      .optional()
      .describe(
        "What the pods run. Headrace, the default: Headrace's own worker. Jvm: the Apache Kafka Connect of spec.image.",
      ),
    replicas: z
      .int()
      .min(0)
      .max(1000)
      .default(1)
      .describe("Number of workers. 0 stops the cluster and keeps its state."),
    image: z.string().min(1).optional().describe("Worker image. The operator's default if not given."),
    bootstrapServers,
    groupId: z
      .string()
      .min(1)
      .max(255)
      .describe("Connect group of the workers; no two clusters may share one. Can change only at zero replicas."),
    configStorageTopic: storageTopic("configStorageTopic", "the connectors' configurations"),
    offsetStorageTopic: storageTopic("offsetStorageTopic", "the source connectors' offsets"),
    statusStorageTopic: storageTopic("statusStorageTopic", "the states of connectors and tasks"),
    config: ConfigValues.optional().describe(
      "Worker configuration, as in Kafka Connect's worker properties. Keys that the operator sets itself are not applied; a Warning condition names them.",
    ),
    resources: Resources.optional().describe("CPU and memory of each worker pod."),
    livenessProbe: Probe.optional().describe("Timing of the check that a worker is alive."),
    readinessProbe: Probe.optional().describe("Timing of the check that a worker is ready."),
    template: Template.optional().describe("How the objects made for this cluster differ from the defaults."),
    isolation: z
      .enum(["Shared", "Connector", "Task"])
      .optional()
      .describe(
        "What shares a process within a worker. Shared, the default: all tasks, as far as they behave. Connector: the tasks of one connector. Task: nothing.",
      ),
    tls: Tls.optional().describe("TLS towards the Kafka brokers. {}: with the public authorities."),
    authentication: Authentication.optional().describe("How the workers prove themselves to the Kafka brokers."),
    rack: Rack.optional().describe("Lets consumers read from replicas in their own rack or zone."),
    clientRackInitImage: z
      .string()
      .optional()
      .describe("Accepted for compatibility with Strimzi; the rack needs no image of its own."),
    rest: RestAccess.optional().describe("Who may use the workers' REST API."),
    allowedNamespaces: AllowedNamespaces.optional().describe(
      "Namespaces whose KafkaConnectors may run here. The cluster's own if not given.",
    ),
    pruneConnectors: z
      .object({
        maxPercent: z
          .int()
          .min(1)
          .max(100)
          .optional()
          .describe("Nothing is deleted if it would be more than this share of all connectors, %. 25 if not given."),
      })
      .optional()
      .describe(
        "Deletes connectors for which there is no KafkaConnector, for instance those made over REST. {}: with the defaults. Off if not given.",
      ),
    plugins: MountedPlugins.optional().describe("Plugins to add to the workers, from OCI images or npm archives."),
    build: Build.optional().describe("Java plugins to fetch for the workers; with runtime: Jvm only."),
    logging: Logging.optional().describe("Levels of the workers' loggers. A change needs no restart."),
    metricsConfig: MetricsConfig.optional().describe(
      "How metrics are exported. Headrace's workers always serve theirs on port 9404.",
    ),
    jvmOptions: JvmOptions.optional().describe("Options of the Java virtual machine; with runtime: Jvm only."),
    jmxOptions: JmxOptions.optional().describe("JMX of the Java virtual machine; with runtime: Jvm only."),
    tracing: z
      .object({ type: z.enum(["opentelemetry"]).describe("How traces are exported.") })
      .optional()
      .describe("Tracing by a Java agent; with runtime: Jvm only."),
  })
  .describe("The Connect cluster that is wanted.")
  .meta({
    "x-kubernetes-validations": [
      {
        rule: "!has(self.runtime) || self.runtime != 'Jvm' || has(self.image)",
        message: "image is required with runtime: Jvm: name an image of Apache Kafka Connect",
        fieldPath: ".runtime",
        reason: "FieldValueInvalid",
      },
      fixedWhileRunning("groupId"),
      fixedWhileRunning("configStorageTopic"),
      fixedWhileRunning("offsetStorageTopic"),
      fixedWhileRunning("statusStorageTopic"),
      {
        rule: "self.configStorageTopic != self.offsetStorageTopic && self.configStorageTopic != self.statusStorageTopic && self.offsetStorageTopic != self.statusStorageTopic",
        message: "configStorageTopic, offsetStorageTopic and statusStorageTopic must be three different topics",
      },
    ],
  });
export type KafkaConnectSpec = z.infer<typeof KafkaConnectSpec>;

/** What the operator has seen of a Connect cluster. */
export const KafkaConnectStatus = z
  .object({
    conditions: Conditions.optional(),
    observedGeneration: z.int().optional().describe("The generation of spec that this status is about."),
    url: z.string().optional().describe("Where the REST API answers inside the Kubernetes cluster."),
    connectorPlugins: z
      .array(
        PluginInfo.extend({
          class: z.string().describe("Name to use in a KafkaConnector's class."),
          type: z.string().describe("What the plugin is: source or sink."),
          version: z.string().optional().describe("Version of the plugin."),
        }),
      )
      .optional()
      .describe("Connector plugins that the workers offer."),
    replicas: z.int().optional().describe("Workers that are ready now."),
    labelSelector: z.string().optional().describe("Selects the worker pods, for autoscalers."),
  })
  .describe("The Connect cluster as it is.");
export type KafkaConnectStatus = z.infer<typeof KafkaConnectStatus>;

/** A KafkaConnect resource, for instance as read from a YAML file. */
export const KafkaConnect = z.object({
  apiVersion: z.string(),
  kind: z.literal("KafkaConnect"),
  metadata: z.looseObject({ name: z.string() }),
  spec: KafkaConnectSpec,
  status: KafkaConnectStatus.optional(),
});
export type KafkaConnect = z.infer<typeof KafkaConnect>;
