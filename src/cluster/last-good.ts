import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { ConfigMap } from "../kube/resources.ts";
import { objectMeta } from "./names.ts";
import type { PodTemplate } from "./stateful-set.ts";
import type { RevisionSource } from "./template-change.ts";

/** The revision at which all workers of a cluster were ready last, and what became of the one that was tried after it. */
export interface LastGood extends RevisionSource {
  readonly revision: string;
  /** A revision that was tried and whose first pod did not get ready; it is not tried again. */
  readonly failed: { readonly revision: string; readonly message: string } | null;
}

const PROPERTIES = "worker.properties";

/** Name of the ConfigMap that keeps a cluster's last good revision. */
export function lastGoodName(cluster: string): string {
  return `${workloadName(cluster)}-last-good`;
}

export function toLastGoodMap(connect: KafkaConnect, lastGood: LastGood): ConfigMap {
  const { revision, template, properties, failed } = lastGood;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: objectMeta(connect, lastGoodName(connect.metadata.name), undefined),
    data: {
      revision,
      template: JSON.stringify(template),
      ...(properties === null ? {} : { [PROPERTIES]: properties }),
      ...(failed === null ? {} : { "failed-revision": failed.revision, "failed-message": failed.message }),
    },
  };
}

/** Null if there is none, or somebody made it unreadable: then nothing is restored, until all workers are ready again. */
export function fromLastGoodMap(map: ConfigMap | null): LastGood | null {
  const data = map?.data ?? {};
  const { revision, template: text } = data;
  const template = parseTemplate(text);
  if (revision === undefined || template === null) return null;
  const failedRevision = data["failed-revision"];
  return {
    revision,
    template,
    properties: data[PROPERTIES] ?? null,
    failed:
      failedRevision === undefined ? null : { revision: failedRevision, message: data["failed-message"] ?? "unknown" },
  };
}

/** Names of the ConfigMaps that pods of a template mount. */
export function mountedConfigMaps({ spec }: PodTemplate): readonly string[] {
  return (spec?.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []);
}

function parseTemplate(text: string | undefined): PodTemplate | null {
  if (text === undefined) return null;
  try {
    const template: PodTemplate | null = JSON.parse(text);
    return Array.isArray(template?.spec?.containers) ? template : null;
  } catch {
    return null;
  }
}
