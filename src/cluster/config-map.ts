import { createHash } from "node:crypto";
import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { ConfigMap } from "../kube/resources.ts";
import { objectMeta } from "./names.ts";

export const PROPERTIES_FILE = "worker.properties";

/**
 * The ConfigMap of one revision of the worker's properties, and of what else its pods read at their start. Its name ends in a hash of its content and it is immutable, so a
 * container that restarts never meets a configuration that has not been rolled to it.
 */
export function buildConfigMap(
  connect: KafkaConnect,
  properties: string,
  others: Readonly<Record<string, string>> = {},
): ConfigMap {
  const sum = createHash("sha256").update(properties);
  for (const entry of Object.entries(others)) sum.update(JSON.stringify(entry));
  const hash = sum.digest("hex").slice(0, 10);
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: objectMeta(connect, `${workloadName(connect.metadata.name)}-config-${hash}`, undefined),
    immutable: true,
    data: { ...others, [PROPERTIES_FILE]: properties },
  };
}
