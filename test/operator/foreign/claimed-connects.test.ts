import assert from "node:assert/strict";
import { it } from "node:test";
import { claimedConnects } from "#operator/foreign/claimed-connects.ts";
import { parseForeignApi } from "#operator/foreign/dialect.ts";
import { createFakeKube } from "#support/fake-kube.ts";

it("claimedConnects has what is claimed, as long as it is", () => {
  const api = parseForeignApi("kafka.strimzi.io") ?? assert.fail();
  const kube = createFakeKube();
  const put = (name: string, annotations: Readonly<Record<string, string>>) =>
    kube.put(api.connects, {
      apiVersion: "kafka.strimzi.io/v1",
      kind: "KafkaConnect",
      metadata: { namespace: "ns", name, annotations },
      spec: {
        replicas: 1,
        bootstrapServers: "kafka:9092",
        groupId: name,
        configStorageTopic: "a",
        offsetStorageTopic: "b",
        statusStorageTopic: "c",
      },
    });
  const claim = { "headrace.dev/managed": "true" };
  put("first", claim);
  const store = claimedConnects(api, kube.store(api.connects));
  put("second", claim);
  put("third", {});
  const groups = () => store.list().map(({ spec }) => spec.groupId);
  assert.deepEqual(groups(), ["first", "second"]);
  put("first", {});
  kube.remove(api.connects, { namespace: "ns", name: "second" });
  assert.deepEqual(groups(), []);
});
