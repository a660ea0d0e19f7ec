/** Whether the chart has the CRDs behind values, or is made of them. */
export type CrdChart = "headrace" | "headrace-crds";

const METADATA = /^metadata:\n {2}name: (\S+)\n/m;

/**
 * The Helm template of a generated CRD. In the operator's chart `crds.install` and `crds.keep` steer it; the chart headrace-crds has it always,
 * with `keep`. Throws for a text that Helm would take for a template, or that has other metadata than a name.
 */
export function toCrdTemplate(crd: string, chart: CrdChart): string {
  if (crd.includes("{{")) throw new Error("a CRD has {{ in its text: escape it here");
  if (!METADATA.test(crd)) throw new Error("a CRD has other metadata than a name");
  const keep = (value: string) => `  annotations:\n${value}    helm.sh/resource-policy: keep\n`;
  if (chart === "headrace-crds") return crd.replace(METADATA, (metadata) => `${metadata}${keep("")}`);
  const switched = crd.replace(
    METADATA,
    (metadata) =>
      `${metadata}  labels:\n    {{- include "headrace.labels" . | nindent 4 }}\n  {{- if .Values.crds.keep }}\n${keep("")}  {{- end }}\n`,
  );
  return `{{- if .Values.crds.install }}\n${switched}{{- end }}\n`;
}
