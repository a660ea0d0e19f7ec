import { z } from "zod";

/** Kubernetes' own structures, passed through as they are; the API server checks them when the pods are made. */
const passedThrough = z.looseObject({});

const Metadata = z
  .object({
    labels: z.record(z.string(), z.string()).optional().describe("Labels to add. Those of the operator win."),
    annotations: z.record(z.string(), z.string()).optional().describe("Annotations to add. Those of the operator win."),
  })
  .describe("Labels and annotations to add.");

const MetadataOnly = z.object({ metadata: Metadata.optional() });

const PodTemplate = z.object({
  metadata: Metadata.optional(),
  imagePullSecrets: z
    .array(z.object({ name: z.string().describe("Name of a Secret in the same namespace.") }))
    .optional()
    .describe("Secrets with the credentials of the image registry."),
  securityContext: passedThrough
    .optional()
    .describe("Security context of the pods, merged over the restricted default."),
  terminationGracePeriodSeconds: z
    .int()
    .min(0)
    .optional()
    .describe("Time to hand over and commit before a pod is killed, s. 30 if not given."),
  affinity: passedThrough.optional().describe("Where pods may and should be placed."),
  tolerations: z.array(passedThrough).optional().describe("Taints that the pods tolerate."),
  topologySpreadConstraints: z.array(passedThrough).optional().describe("How pods are spread over the topology."),
  nodeSelector: z.record(z.string(), z.string()).optional().describe("Labels that a node must have."),
  priorityClassName: z.string().optional().describe("Priority class of the pods."),
  schedulerName: z.string().optional().describe("Scheduler that places the pods."),
  hostAliases: z.array(passedThrough).optional().describe("Entries to add to the pods' /etc/hosts."),
  dnsPolicy: z.string().optional().describe("DNS policy of the pods."),
  dnsConfig: passedThrough.optional().describe("DNS settings of the pods."),
  enableServiceLinks: z.boolean().optional().describe("Whether Services are given as environment variables."),
  volumes: z
    .array(z.looseObject({ name: z.string().min(1).describe("Name that volumeMounts refer to.") }))
    .optional()
    .describe("Volumes to add to the pods; mount them with connectContainer.volumeMounts."),
});

const EnvironmentVariable = z.object({
  name: z
    .string()
    .min(1)
    .describe("Name of the variable.")
    .meta({
      "x-kubernetes-validations": [
        {
          rule: "!(self in ['POD_IP', 'POD_UID', 'POD_NAME'])",
          message: "POD_IP, POD_UID and POD_NAME are set by the operator: choose another name",
        },
      ],
    }),
  value: z.string().optional().describe("Value of the variable."),
  valueFrom: passedThrough
    .optional()
    .describe("Where the value comes from: secretKeyRef, configMapKeyRef, fieldRef, …"),
});

const VolumeMount = z.looseObject({
  name: z.string().min(1).describe("Name of a volume."),
  mountPath: z
    .string()
    .max(1024)
    .describe("Where to mount it; under /mnt/.")
    .meta({
      "x-kubernetes-validations": [
        { rule: "self.startsWith('/mnt/')", message: "mountPath must be under /mnt/, for instance /mnt/my-volume" },
      ],
    }),
});

const ContainerTemplate = z.object({
  env: z.array(EnvironmentVariable).max(256).optional().describe("Environment variables to add."),
  securityContext: passedThrough
    .optional()
    .describe("Security context of the container, merged over the restricted default."),
  volumeMounts: z.array(VolumeMount).max(64).optional().describe("Where to mount template.pod.volumes."),
});

const DisruptionBudgetTemplate = z.object({
  metadata: Metadata.optional(),
  maxUnavailable: z
    .int()
    .min(0)
    .optional()
    .describe("How many workers an eviction may take away at a time. 1 if not given."),
});

/** How the objects that the operator makes for a KafkaConnect differ from its defaults. */
export const Template = z.object({
  pod: PodTemplate.optional().describe("The worker pods."),
  connectContainer: ContainerTemplate.optional().describe("The worker container."),
  statefulSet: MetadataOnly.optional().describe("The StatefulSet."),
  apiService: MetadataOnly.optional().describe("The Service in front of the REST API."),
  headlessService: MetadataOnly.optional().describe("The headless Service that names the pods."),
  serviceAccount: MetadataOnly.optional().describe("The workers' ServiceAccount."),
  podDisruptionBudget: DisruptionBudgetTemplate.optional().describe("The PodDisruptionBudget."),
});
export type Template = z.infer<typeof Template>;
