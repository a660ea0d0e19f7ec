import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toCrdTemplate } from "#dev/chart/crd-template.ts";

const CRD = "apiVersion: apiextensions.k8s.io/v1\nmetadata:\n  name: a.example.com\nspec:\n  group: example.com\n";

describe("toCrdTemplate", () => {
  it("keeps the CRD of headrace-crds always", () => {
    assert.equal(
      toCrdTemplate(CRD, "headrace-crds"),
      CRD.replace("a.example.com\n", "a.example.com\n  annotations:\n    helm.sh/resource-policy: keep\n"),
    );
  });

  it("puts that of the operator's chart behind its values", () => {
    const template = toCrdTemplate(CRD, "headrace");
    assert.match(template, /^{{- if \.Values\.crds\.install }}\n/);
    assert.match(template, /{{- if \.Values\.crds\.keep }}\n {2}annotations:\n {4}helm\.sh\/resource-policy: keep\n/);
    assert.ok(template.endsWith("spec:\n  group: example.com\n{{- end }}\n"));
  });

  it("refuses what Helm would read as something else", () => {
    assert.throws(() => toCrdTemplate(`${CRD}# {{ .Values }}`, "headrace"), /escape it here/);
    assert.throws(() => toCrdTemplate(CRD.replace("  name:", "  labels: {}\n  name:"), "headrace"), /other metadata/);
  });
});
