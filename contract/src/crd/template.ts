import { z } from "zod";
import { ContainerTemplate } from "./container-template.ts";
import { Metadata, MetadataOnly } from "./metadata-template.ts";
import { PodTemplate } from "./pod-template.ts";

const DisruptionBudgetTemplate = z.object({
  metadata: Metadata.optional(),
  maxUnavailable: z
    .int()
    .min(0)
    .optional()
    .describe("How many workers an eviction may take away at a time. 1 if not given."),
});

const ServiceTemplate = z.object({
  metadata: Metadata.optional(),
  ipFamilyPolicy: z
    .enum(["SingleStack", "PreferDualStack", "RequireDualStack"])
    .optional()
    .describe("Whether the Service has one address family or two."),
  ipFamilies: z
    .array(z.enum(["IPv4", "IPv6"]))
    .max(2)
    .optional()
    .describe("Address families of the Service."),
});

const BuildConfigTemplate = z.object({
  metadata: Metadata.optional(),
  pullSecret: z.string().optional().describe("Secret with the credentials of the registry."),
});

const NO_BUILD = "Accepted for compatibility with Strimzi; no image is built.";

/** How the objects that the operator makes for a KafkaConnect differ from its defaults. */
export const Template = z.object({
  pod: PodTemplate.optional().describe("The worker pods."),
  connectContainer: ContainerTemplate.optional().describe("The worker container."),
  initContainer: ContainerTemplate.optional().describe(
    "The containers that fetch plugins or read the node before the worker starts.",
  ),
  statefulSet: MetadataOnly.optional().describe("The StatefulSet."),
  podSet: MetadataOnly.optional().describe("Strimzi's name for statefulSet; added to the StatefulSet, too."),
  apiService: ServiceTemplate.optional().describe("The Service in front of the REST API."),
  headlessService: ServiceTemplate.optional().describe("The headless Service that names the pods."),
  serviceAccount: MetadataOnly.optional().describe("The workers' ServiceAccount."),
  podDisruptionBudget: DisruptionBudgetTemplate.optional().describe("The PodDisruptionBudget."),
  networkPolicy: MetadataOnly.optional().describe("The NetworkPolicy."),
  clusterRoleBinding: MetadataOnly.optional().describe(
    "Accepted for compatibility with Strimzi; no cluster has a ClusterRoleBinding of its own.",
  ),
  jmxSecret: MetadataOnly.optional().describe("The Secret with the user and password of JMX; with runtime: Jvm only."),
  buildPod: PodTemplate.optional().describe(NO_BUILD),
  buildContainer: ContainerTemplate.optional().describe(NO_BUILD),
  buildConfig: BuildConfigTemplate.optional().describe(NO_BUILD),
  buildServiceAccount: MetadataOnly.optional().describe(NO_BUILD),
});
export type Template = z.infer<typeof Template>;
