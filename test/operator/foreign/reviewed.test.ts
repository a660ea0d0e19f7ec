import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ForeignObject, parseForeignApi } from "#operator/foreign/dialect.ts";
import { reviewedClaims } from "#operator/foreign/reviewed.ts";
import { Pods } from "#operator/kube/resources.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const api = parseForeignApi("kafka.strimzi.io/v1");
assert.ok(api !== undefined);

const connect = (annotations: Readonly<Record<string, string>>): ForeignObject => ({
  apiVersion: "kafka.strimzi.io/v1",
  kind: "KafkaConnect",
  metadata: { name: "theirs", namespace: "ns", annotations },
  spec: { replicas: 1, bootstrapServers: "kafka:9092", groupId: "a" },
});

const connector = (cluster: string) => ({
  apiVersion: "kafka.strimzi.io/v1beta2",
  kind: "KafkaConnector",
  metadata: { name: "orders", namespace: "ns", labels: { "strimzi.io/cluster": cluster } },
  spec: { class: "datagen", pause: true, config: { topic: "a" } },
});

function claims(...connects: readonly ForeignObject[]) {
  assert.ok(api !== undefined);
  const kube = createFakeKube();
  for (const object of connects) kube.put(api.connects, object);
  return reviewedClaims(api, { connects: kube.store(api.connects), pods: kube.store(Pods) });
}

const CLAIMED = { "headrace.dev/managed": "true" };

describe("reviewedClaims", () => {
  it("takes a KafkaConnect that is claimed, with what our schema asks for and it has not", () => {
    assert.equal(claims().toConnect(connect({}), "v1"), null);
    const seen = claims().toConnect(connect(CLAIMED), "v1");
    assert.ok(seen?.flaws?.some((flaw) => flaw.includes("configStorageTopic")));
  });

  it("takes a KafkaConnector on a cluster that is claimed, in the version in which it is asked about", () => {
    const group = claims(connect(CLAIMED));
    const seen = group.toConnector(connector("theirs"), "v1beta2");
    assert.equal(seen?.spec.state, "paused");
    assert.equal(seen?.metadata.labels?.["headrace.dev/cluster"], "theirs");
    assert.equal(group.toConnector(connector("other"), "v1beta2"), null);
    assert.equal(claims(connect({})).toConnector(connector("theirs"), "v1beta2"), null);
  });

  it("shows claimed clusters only, with their statuses", () => {
    const key = { namespace: "ns", name: "theirs" };
    assert.equal(claims(connect({})).connects.get(key), undefined);
    const ready = { ...connect(CLAIMED), status: { observedGeneration: 3 } };
    assert.equal(claims(ready).connects.get(key)?.status?.observedGeneration, 3);
  });
});
