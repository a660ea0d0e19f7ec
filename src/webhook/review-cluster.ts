import { isDeepStrictEqual } from "node:util";
import { kafkaAccess } from "../cluster/kafka-access.ts";
import { rackSource } from "../cluster/rack.ts";
import { notApplied, withoutEffect } from "../cluster/without-effect.ts";
import { renderWorkerProperties } from "../cluster/worker-properties.ts";
import type { KafkaConnect } from "../kinds.ts";
import { FINE, type Verdict } from "./admission-review.ts";

/**
 * Says what would be wrong with a KafkaConnect, as far as that can be told without starting a worker: values of `spec.config` that
 * cannot be used are errors, what has no effect is a warning; `mayReadNodes`: whether workers may learn labels of nodes. The rest is told by the preflight check, before any worker is touched.
 */
export function reviewCluster(object: KafkaConnect, before: KafkaConnect | null, mayReadNodes = false): Verdict {
  if (object.metadata.deletionTimestamp !== undefined) return FINE;
  if (before !== null && isDeepStrictEqual(object.spec, before.spec)) return FINE;
  const properties = renderWorkerProperties(object);
  const access = kafkaAccess(object.spec);
  return {
    errors: [
      ...(object.flaws ?? []).map((message) => ({ field: "spec", message })),
      ...properties.problems.map(({ key, message }) => ({ field: `spec.config.${key}`, message })),
      ...access.problems.map((message) => ({ field: "spec.authentication", message })),
    ],
    warnings: [
      ...notApplied("spec.config", properties.notApplied),
      ...notApplied("spec.authentication.config", access.notApplied),
      ...withoutEffect(object.spec, rackSource(object.spec, mayReadNodes)),
      ...(object.remarks ?? []),
    ],
  };
}
