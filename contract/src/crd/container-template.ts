import { z } from "zod";
import { rules } from "./rules.ts";
import { passedThrough, VolumeMount } from "./volume.ts";

const EnvironmentVariable = z
  .object({
    name: z
      .string()
      .min(1)
      .max(256)
      .describe("Name of the variable.")
      .meta(
        rules({
          rule: "!(self in ['POD_IP', 'POD_UID', 'POD_NAME'])",
          message: "POD_IP, POD_UID and POD_NAME are set by the operator: choose another name",
        }),
      ),
    value: z.string().optional().describe("Value of the variable."),
    valueFrom: passedThrough
      .optional()
      .describe("Where the value comes from: secretKeyRef, configMapKeyRef, fieldRef, …"),
  })
  .meta(
    rules({
      rule: "!(has(self.value) && has(self.valueFrom))",
      message: "give either value or valueFrom, and not both",
    }),
  );

/** How a container differs from the default. */
export const ContainerTemplate = z.object({
  env: z.array(EnvironmentVariable).max(256).optional().describe("Environment variables to add."),
  securityContext: passedThrough
    .optional()
    .describe("Security context of the container, merged over the restricted default."),
  volumeMounts: z.array(VolumeMount).max(64).optional().describe("Where to mount template.pod.volumes."),
});
export type ContainerTemplate = z.infer<typeof ContainerTemplate>;
