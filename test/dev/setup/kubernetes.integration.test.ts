import assert from "node:assert/strict";
import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { buildKubernetes } from "#dev/setup/kubernetes.ts";

describe("buildKubernetes", () => {
  const saved = process.env["KUBEBUILDER_ASSETS"];
  let assets: string;

  beforeEach(() => {
    assets = mkdtempSync(join(tmpdir(), "headrace-assets-"));
    delete process.env["KUBEBUILDER_ASSETS"];
  });

  afterEach(() => {
    if (saved === undefined) delete process.env["KUBEBUILDER_ASSETS"];
    else process.env["KUBEBUILDER_ASSETS"] = saved;
    rmSync(assets, { recursive: true });
  });

  it("gives links to one binary", async () => {
    const binaries = Object.values(await buildKubernetes());
    assert.equal(binaries.length, 5);
    assert.deepEqual(new Set(binaries.map((file) => readlinkSync(file))), new Set(["cluster"]));
    assert.equal(new Set(binaries.map(dirname)).size, 1);
  });

  it("takes etcd, kube-apiserver and kubectl from KUBEBUILDER_ASSETS, and builds the rest", async () => {
    const built = await buildKubernetes();
    for (const name of ["etcd", "kube-apiserver", "kubectl"]) writeFileSync(join(assets, name), "");
    process.env["KUBEBUILDER_ASSETS"] = assets;
    assert.deepEqual(await buildKubernetes(), {
      ...built,
      etcd: join(assets, "etcd"),
      kubeApiserver: join(assets, "kube-apiserver"),
      kubectl: join(assets, "kubectl"),
    });
  });

  it("says what KUBEBUILDER_ASSETS lacks", async () => {
    process.env["KUBEBUILDER_ASSETS"] = assets;
    await assert.rejects(buildKubernetes(), /KUBEBUILDER_ASSETS is .*etcd does not exist/);
  });
});
