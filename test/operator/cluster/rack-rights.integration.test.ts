import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createRackRights } from "#operator/cluster/rack-rights.ts";
import { KafkaConnects } from "#operator/kinds.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { isKubeError } from "#operator/kube/errors.ts";
import { StatefulSets } from "#operator/kube/resources.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeKube } from "#support/fake-kube.ts";
import { openTestClient, type TestClient } from "#support/kube-client.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { applyOperatorManifest, operatorKubeconfig } from "#support/operator-rights.ts";

describe("rights to read nodes, as dev/manifests/operator-rack.yaml has them", () => {
  const signal = AbortSignal.timeout(300_000);
  let dir: string;
  let kubernetes: TestKubernetes;
  let namespace: string;
  let binding: string;
  let operator: TestClient;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-rack-rights-"));
    kubernetes = await testKubernetes();
    namespace = await kubernetes.createNamespace();
    binding = `headrace-rack-${namespace}`;
    const change = (text: string) => text.replaceAll(/\bheadrace-rack\b(?!-)/g, binding);
    await applyOperatorManifest(kubernetes, namespace, { file: "operator-rack.yaml", change });
    await kubernetes.kubectl(["-n", namespace, "create", "serviceaccount", "headrace-operator"]);
    const kubeconfig = await operatorKubeconfig(kubernetes, namespace, { dir });
    operator = openTestClient(loadConnection({ kubeconfig, env: {} }));
  });

  after(async () => {
    operator?.close();
    const names = [binding, `headrace-operator-rack-${namespace}`];
    await kubernetes?.kubectl(["delete", "clusterrole,clusterrolebinding", "--ignore-not-found", ...names]);
    await kubernetes?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const mayGetNodes = async (serviceAccount: string) => {
    const as = `--as=system:serviceaccount:${namespace}:${serviceAccount}`;
    return (await kubernetes.kubectl(["auth", "can-i", "get", "nodes", as]).catch(() => "no")).trim();
  };

  it("are enough to give them to workers and to take them back, and for nothing else", async () => {
    const kube = createFakeKube();
    const stores = { connects: kube.store(KafkaConnects), statefulSets: kube.store(StatefulSets) };
    const connect = kafkaConnect({ rack: { type: "topology-label", topologyKey: "example.com/rack" } });
    const open = (name: string) => {
      const rights = createRackRights({ kube: operator.client, binding: name, now: Date.now });
      rights.follow(stores);
      return rights;
    };
    kube.put(KafkaConnects, { ...connect, metadata: { ...connect.metadata, namespace, name: "a" } });
    await open(binding).keep(signal);
    await eventually("the workers may read nodes", async () => (await mayGetNodes("a-connect")) === "yes");
    assert.equal(await mayGetNodes("headrace-operator"), "no");
    kube.remove(KafkaConnects, { namespace, name: "a" });
    await open(binding).keep(signal);
    await eventually("they may not any more", async () => (await mayGetNodes("a-connect")) === "no");
    for (const name of ["cluster-admin", `${binding}-2`])
      await assert.rejects(open(name).keep(signal), (error) => isKubeError(error, "forbidden"));
  });
});
