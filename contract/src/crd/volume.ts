import { z } from "zod";
import { exactlyOneOf, rules } from "./rules.ts";

/** One of Kubernetes' own structures, passed through as it is; the API server checks it when the pods are made. */
export const passedThrough = z.looseObject({});

const name = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
  .max(63)
  .describe("Name that volumeMounts refer to.")
  .meta(
    rules({
      rule: "!self.startsWith('headrace-')",
      message: "volumes named headrace-… are the operator's: choose another name",
    }),
  );

const secret = passedThrough.optional().describe("A Secret.");
const configMap = passedThrough.optional().describe("A ConfigMap.");
const persistentVolumeClaim = passedThrough.optional().describe("A PersistentVolumeClaim that exists.");

/** A volume that users add to the pods. */
export const Volume = z
  .object({
    name,
    secret,
    configMap,
    emptyDir: passedThrough.optional().describe("An empty directory that lives as long as the pod."),
    persistentVolumeClaim,
    csi: passedThrough.optional().describe("A volume of a CSI driver."),
    image: passedThrough.optional().describe("The files of an OCI image."),
    projected: passedThrough.optional().describe("Several sources in one directory."),
  })
  .meta(rules(exactlyOneOf("secret", "configMap", "emptyDir", "persistentVolumeClaim", "csi", "image", "projected")));

/** A volume of which each pod has one of its own, as Strimzi has it. */
export const TemplatedVolume = z
  .object({ name, secret, configMap, persistentVolumeClaim })
  .meta(rules(exactlyOneOf("secret", "configMap", "persistentVolumeClaim")));

/** Where a container finds a volume. */
export const VolumeMount = z.looseObject({
  name: z.string().min(1).describe("Name of a volume."),
  mountPath: z
    .string()
    .max(1024)
    .describe("Where to mount it; under /mnt/.")
    .meta(
      rules({
        rule: "self.startsWith('/mnt/')",
        message: "mountPath must be under /mnt/, for instance /mnt/my-volume",
      }),
    ),
});
