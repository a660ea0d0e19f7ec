import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { versionPlaces } from "#dev/release/version-places.ts";
import { disagreements } from "#dev/release/versions.ts";

describe("the places that say the version", () => {
  const places = versionPlaces(repoRoot);

  it("agree", () => {
    const [{ version } = { version: undefined }] = places.filter(({ file }) => file === "package.json");
    assert.deepEqual(disagreements(version ?? "", places), []);
  });

  it("are packages, what they need of one another, charts, images in manifests, docs and examples, and the lock file", () => {
    const files = new Set(places.map(({ file }) => file));
    for (const file of [
      "package.json",
      "sdk/package.json",
      "connectors/http/package.json",
      "charts/headrace/Chart.yaml",
      "charts/headrace-crds/Chart.yaml",
      "src/config.ts",
      "manifests/headrace.yaml",
      "bundle/manifests/headrace.clusterserviceversion.yaml",
      "docs/images.md",
      "docs/writing-a-connector.md",
      "examples/connector-template/package.json",
      "examples/gitops/argocd/apps/headrace-operator.yaml",
      "examples/gitops/flux/operator.yaml",
      "package-lock.json (.)",
      "package-lock.json (connectors/http)",
    ])
      assert.ok(files.has(file), file);
  });
});
