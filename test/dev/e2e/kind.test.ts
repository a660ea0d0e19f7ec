import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parse } from "yaml";
import { deleteLeftKinds, isDockerThere, kindConfig, startKind } from "#dev/e2e/kind.ts";

/** Stands in for kind and Docker: notes what it is asked, and answers as they do. */
const PROGRAM = `#!/bin/sh
echo "$(basename "$0") $*" >> "$(dirname "$0")/asked"
case "$*" in
  "$(cat "$(dirname "$0")/refused" 2>/dev/null || echo none)"*) echo "no room" >&2; exit 1 ;;
  "get nodes"*) echo c-worker; echo c-worker2; echo c-control-plane ;;
  "get clusters"*) echo headrace-e2e-1-a; echo somebody-elses ;;
  *"ip -4 route show default") echo "default via 172.18.0.1 dev eth0" ;;
esac
`;

describe("a cluster of kind", () => {
  let bin: string;
  let dir: string;
  let tools: { readonly kind: string; readonly docker: string };
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), "headrace-kind-"));
    tools = { kind: join(bin, "kind"), docker: join(bin, "docker") };
    for (const file of Object.values(tools)) {
      writeFileSync(file, PROGRAM);
      chmodSync(file, 0o755);
    }
    dir = join(bin, "shared");
    mkdirSync(dir);
  });
  afterEach(() => rmSync(bin, { recursive: true }));

  const asked = () => readFileSync(join(bin, "asked"), "utf8").trimEnd().split("\n");
  const never = new AbortController().signal;
  const plan = () => ({
    name: "c",
    dir,
    images: [
      { archive: "/a/operator.tar", reference: "r/operator:1", tags: ["r/operator:2"] },
      { archive: "/a/beats.tar", reference: "r/beats:1", tags: [] },
    ],
    pluginImage: "r/beats:1",
    nodeImage: "kindest/node:v1.34.0",
  });

  it("is made, gets the images under all their names, and is deleted", async () => {
    const cluster = await startKind(tools, plan(), never);
    assert.deepEqual(cluster.given, {
      kubeconfig: join(dir, "kubeconfig"),
      registry: "ghcr.io/headrace",
      pluginImage: "r/beats:1",
      dataDir: join(dir, "data"),
      auditLog: join(dir, "audit.log"),
    });
    assert.equal(cluster.hostAddress, "172.18.0.1");
    assert.equal(statSync(join(dir, "data")).mode & 0o777, 0o777);
    assert.equal(readFileSync(join(dir, "audit.log"), "utf8"), "");
    assert.match(readFileSync(join(dir, "audit-policy.yaml"), "utf8"), /kind: Policy/);
    await cluster.close();
    const files = `--config ${dir}/kind-config.yaml --kubeconfig ${dir}/kubeconfig`;
    const tag = (node: string) =>
      `docker exec ${node} ctr --namespace=k8s.io images tag --force r/operator:1 r/operator:2`;
    assert.deepEqual(asked(), [
      `kind create cluster ${files} --wait 180s --image kindest/node:v1.34.0 --name c`,
      "kind get nodes --name c",
      "kind load image-archive /a/operator.tar --name c",
      tag("c-worker"),
      tag("c-worker2"),
      tag("c-control-plane"),
      "kind load image-archive /a/beats.tar --name c",
      "docker exec c-worker ip -4 route show default",
      `kind delete cluster --kubeconfig ${dir}/kubeconfig --name c`,
    ]);
  });

  for (const refused of ["create cluster", "load image-archive", "exec c-worker2"])
    it(`is deleted where "${refused}" fails, with what was said`, async () => {
      writeFileSync(join(bin, "refused"), refused);
      await assert.rejects(startKind(tools, plan(), never), /no room/);
      assert.match(asked().at(-1) ?? "", /^kind delete cluster .*--name c$/);
    });

  it("is deleted when its maker is to end", async () => {
    await assert.rejects(startKind(tools, plan(), AbortSignal.abort()), { name: "AbortError" });
    assert.deepEqual(asked(), [`kind delete cluster --kubeconfig ${dir}/kubeconfig --name c`]);
  });

  it("of a run that was killed is deleted, nobody else's", async () => {
    await deleteLeftKinds(tools, (name) => name.startsWith("headrace-e2e-"));
    assert.deepEqual(asked(), ["kind get clusters", "kind delete cluster --name headrace-e2e-1-a"]);
  });

  it("has its own directory on every node, and hands the API server its audit log there", () => {
    const { nodes } = parse(kindConfig("/run/own"));
    for (const { extraMounts } of nodes)
      assert.deepEqual(extraMounts, [{ hostPath: "/run/own", containerPath: "/run/own" }]);
    assert.equal(nodes.length, 3);
    const { apiServer } = parse(nodes[0].kubeadmConfigPatches[0]);
    assert.equal(apiServer.extraArgs["audit-log-path"], "/run/own/audit.log");
    assert.equal(apiServer.extraVolumes[0].hostPath, "/run/own");
  });

  it("needs a Docker that answers, not its client alone", async () => {
    assert.equal(await isDockerThere(tools.docker), true);
    writeFileSync(join(bin, "refused"), "version");
    assert.equal(await isDockerThere(tools.docker), false);
    assert.equal(await isDockerThere(join(bin, "nothing-here")), false);
  });
});
