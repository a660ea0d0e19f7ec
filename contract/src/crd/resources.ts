import { z } from "zod";

const Quantities = z.record(z.string(), z.unknown()).meta({ "x-headrace-schema": "quantity-map" });

/** CPU and memory, as in pods. */
export const Resources = z.object({
  limits: Quantities.optional().describe("What may be used at most, for instance memory: 1Gi."),
  requests: Quantities.optional().describe("What is set aside at least, for instance cpu: 500m."),
  claims: z
    .array(z.looseObject({ name: z.string().min(1).describe("Name of an entry in the pod's resourceClaims.") }))
    .optional()
    .describe("Resources of dynamic resource allocation."),
});
export type Resources = z.infer<typeof Resources>;

/** Timing of a probe. */
export const Probe = z.object({
  initialDelaySeconds: z.int().min(0).optional().describe("Time from the start to the first probe, s."),
  timeoutSeconds: z.int().min(1).optional().describe("Time after which a probe has failed, s."),
  periodSeconds: z.int().min(1).optional().describe("Time between probes, s."),
  successThreshold: z.int().min(1).optional().describe("Successes in a row until the probe counts as passed."),
  failureThreshold: z.int().min(1).optional().describe("Failures in a row until the probe counts as failed."),
});
export type Probe = z.infer<typeof Probe>;
