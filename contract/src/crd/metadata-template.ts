import { z } from "zod";

/** Labels and annotations that are added to an object. */
export const Metadata = z
  .object({
    labels: z.record(z.string(), z.string()).optional().describe("Labels to add. Those of the operator win."),
    annotations: z.record(z.string(), z.string()).optional().describe("Annotations to add. Those of the operator win."),
  })
  .describe("Labels and annotations to add.");

/** An object of which only the metadata can be changed. */
export const MetadataOnly = z.object({ metadata: Metadata.optional() });
