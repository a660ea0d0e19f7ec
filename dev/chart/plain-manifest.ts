import { parseAllDocuments, stringify } from "yaml";
import { z } from "zod";

const Metadata = z.looseObject({
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const Manifest = z.looseObject({ metadata: Metadata });

/** The namespace of the plain manifest; its pods have to satisfy the restricted Pod Security Standard. */
const NAMESPACE = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: {
    name: "headrace",
    labels: { "app.kubernetes.io/part-of": "headrace", "pod-security.kubernetes.io/enforce": "restricted" },
  },
};

/** One YAML text of what Helm rendered, the namespace first, without the marks of Helm. */
export function toPlainManifest(rendered: string): string {
  const objects = parseAllDocuments(rendered)
    .map((document) => document.toJS())
    .filter((object) => object !== null)
    .map((object) => withoutHelm(Manifest.parse(object)));
  return [NAMESPACE, ...objects]
    .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false, schema: "yaml-1.1" }))
    .join("---\n");
}

function withoutHelm(object: z.infer<typeof Manifest>): object {
  const { labels, annotations, ...metadata } = object.metadata;
  return {
    ...object,
    metadata: { ...metadata, ...kept("labels", labels), ...kept("annotations", annotations) },
  };
}

function kept(name: string, all: Readonly<Record<string, string>> = {}): object {
  const entries = Object.entries(all).filter(
    ([key]) => !key.startsWith("helm.sh/") && key !== "app.kubernetes.io/managed-by",
  );
  return entries.length === 0 ? {} : { [name]: Object.fromEntries(entries) };
}
