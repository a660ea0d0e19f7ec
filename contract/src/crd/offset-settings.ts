import { z } from "zod";
import { ConfigMapKeyReference, NameReference } from "./references.ts";
import { exactlyOneOf, rules } from "./rules.ts";

/** Where offsets are written when they are listed. */
export const ListOffsets = z.object({
  toConfigMap: NameReference.describe("ConfigMap that is made or changed; the offsets are its key offsets.json."),
});

/** Where offsets come from when they are altered. */
export const AlterOffsets = z.object({
  fromConfigMap: NameReference.describe("ConfigMap whose key offsets.json holds the offsets."),
});

/** Where a new connector begins. */
export const StartFrom = z
  .object({
    offsets: z
      .array(
        z.object({
          partition: z.looseObject({}).describe("What the offset is of; kafka_topic and kafka_partition of a sink."),
          offset: z.looseObject({}).describe("Position in it; kafka_offset of a sink."),
        }),
      )
      .min(1)
      .max(10_000)
      .meta({ "x-kubernetes-list-type": "atomic" })
      .optional()
      .describe("Offsets as GET /connectors/{name}/offsets has them."),
    configMapKeyRef: ConfigMapKeyReference.optional().describe(
      "Key of a ConfigMap that holds such offsets as JSON, for instance offsets.json of a listing.",
    ),
  })
  .meta(rules(exactlyOneOf("offsets", "configMapKeyRef")));
export type StartFrom = z.infer<typeof StartFrom>;
