import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createForeignClient } from "#operator/foreign/client.ts";
import { parseForeignApi } from "#operator/foreign/dialect.ts";
import { createStatusMemory } from "#operator/foreign/status-memory.ts";
import { ConfigMaps, PodDisruptionBudgets, Pods } from "#operator/kube/resources.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";

const signal = AbortSignal.timeout(60_000);
const NAME = "theirs-connect";
const metadata = {
  name: NAME,
  namespace: "ns",
  ownerReferences: [{ apiVersion: "kafka.strimzi.io/v1", kind: "KafkaConnect", name: "theirs", uid: "1" }],
};
const budget = { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata, spec: { maxUnavailable: 1 } };
const configMap = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { ...metadata, name } });

function open(kube: FakeKube) {
  const api = parseForeignApi("kafka.strimzi.io/v1");
  assert.ok(api !== undefined);
  const memory = createStatusMemory();
  return createForeignClient({
    kube: kube.client,
    api,
    memory,
    original: () => undefined,
    written: () => undefined,
  });
}

describe("createForeignClient", () => {
  it("takes the other operator's disruption budget away once, however many objects are made at a time", async () => {
    const kube = createFakeKube();
    kube.put(PodDisruptionBudgets, { ...budget, metadata: { name: NAME, namespace: "ns" }, spec: { minAvailable: 1 } });
    let deleted = 0;
    const client = open({
      ...kube,
      client: {
        ...kube.client,
        async delete(...call) {
          deleted += 1;
          await kube.client.delete(...call);
        },
      },
    });
    const others = Array.from({ length: 8 }, (_, n) => client.apply(ConfigMaps, configMap(`c${n}`), signal));
    await Promise.all([client.apply(PodDisruptionBudgets, budget, signal), ...others]);
    assert.deepEqual(kube.find(PodDisruptionBudgets, { namespace: "ns", name: NAME })?.spec, { maxUnavailable: 1 });
    assert.equal(kube.all(ConfigMaps).length, 8);
    assert.equal(deleted, 1);
  });

  it("makes nothing while the other operator's pods are there, and looks again the next time", async () => {
    const kube = createFakeKube();
    kube.put(Pods, { apiVersion: "v1", kind: "Pod", metadata: { name: `${NAME}-0`, namespace: "ns" } });
    const client = open(kube);
    const attempts = await Promise.allSettled(
      ["a", "b"].map((name) => client.apply(ConfigMaps, configMap(name), signal)),
    );
    assert.deepEqual(
      attempts.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.equal(kube.all(ConfigMaps).length, 0);
    kube.remove(Pods, { namespace: "ns", name: `${NAME}-0` });
    await client.apply(ConfigMaps, configMap("a"), signal);
    assert.equal(kube.all(ConfigMaps).length, 1);
  });
});
