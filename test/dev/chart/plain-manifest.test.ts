import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { toPlainManifest } from "#dev/chart/plain-manifest.ts";

describe("toPlainManifest", () => {
  it("puts the namespace first and takes Helm's marks away", () => {
    const rendered = `---
# Source: a
metadata:
  name: a
  labels: { helm.sh/chart: c, app.kubernetes.io/managed-by: Helm, app.kubernetes.io/name: n }
  annotations: { helm.sh/resource-policy: keep }
kind: A
---
`;
    const documents = parseAllDocuments(toPlainManifest(rendered)).map((document) => document.toJS());
    assert.equal(documents.length, 2);
    assert.equal(documents[0].kind, "Namespace");
    assert.deepEqual(documents[1], { metadata: { name: "a", labels: { "app.kubernetes.io/name": "n" } }, kind: "A" });
  });

  it("quotes what YAML 1.1 takes for something else", () => {
    assert.match(toPlainManifest("metadata: { name: a }\nvalue: 'no'\n"), /value: "no"/);
  });
});
