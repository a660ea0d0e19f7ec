import { z } from "zod";
import { Metadata } from "./metadata-template.ts";
import { passedThrough, TemplatedVolume, Volume } from "./volume.ts";

/** How pods differ from the default. */
export const PodTemplate = z.object({
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
  tolerations: z
    .array(passedThrough)
    .optional()
    .describe(
      "Taints that the pods tolerate. Unless they speak of them, a node that is not ready or does not answer is tolerated for 30 s.",
    ),
  topologySpreadConstraints: z.array(passedThrough).optional().describe("How pods are spread over the topology."),
  nodeSelector: z.record(z.string(), z.string()).optional().describe("Labels that a node must have."),
  priorityClassName: z.string().optional().describe("Priority class of the pods."),
  runtimeClassName: z.string().optional().describe("Runtime class of the pods, for instance of a sandbox."),
  schedulerName: z.string().optional().describe("Scheduler that places the pods."),
  hostAliases: z.array(passedThrough).optional().describe("Entries to add to the pods' /etc/hosts."),
  dnsPolicy: z
    .enum(["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"])
    .optional()
    .describe("DNS policy of the pods."),
  dnsConfig: passedThrough.optional().describe("DNS settings of the pods."),
  enableServiceLinks: z.boolean().optional().describe("Whether Services are given as environment variables."),
  hostUsers: z.boolean().optional().describe("false: the pods have a user namespace of their own."),
  tmpDirSizeLimit: z
    .string()
    .regex(/^([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/)
    .optional()
    .describe("Size of /tmp, for instance 64Mi, which it is if not given."),
  volumes: z
    .array(Volume)
    .max(64)
    .optional()
    .describe("Volumes to add to the pods; mount them with connectContainer.volumeMounts."),
  templatedVolumes: z
    .array(TemplatedVolume)
    .max(64)
    .optional()
    .describe("Volumes of which each pod has its own. Accepted, but not applied; a Warning condition says so."),
});
export type PodTemplate = z.infer<typeof PodTemplate>;
