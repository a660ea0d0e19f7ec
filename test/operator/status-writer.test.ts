import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectStatus } from "@headrace/contract";
import { type KafkaConnect, KafkaConnects } from "#operator/kinds.ts";
import { createStatusWriter } from "#operator/status-writer.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const KEY = { namespace: "ns", name: "my-connect" };
const signal = AbortSignal.timeout(10_000);

describe("status writer", () => {
  it("writes what is new and nothing else", async () => {
    const kube = createFakeKube();
    const writer = createStatusWriter<KafkaConnectStatus>(kube.client, KafkaConnects);
    const object = kube.put(KafkaConnects, kafkaConnect());
    await writer.write(object, { replicas: 1 }, signal);
    const once = kube.find(KafkaConnects, KEY);
    assert.equal(once?.status?.replicas, 1);
    assert.deepEqual(once?.spec, object.spec);
    kube.failNext("applyStatus", "invalid", "written without need");
    await writer.write(writer.latest(object), { replicas: 1 }, signal);
  });

  it("does not take an old status from the cache for the present one", async () => {
    const kube = createFakeKube();
    const writer = createStatusWriter<KafkaConnectStatus>(kube.client, KafkaConnects);
    const stale: KafkaConnect = kube.put(KafkaConnects, kafkaConnect({}, { status: { replicas: 1 } }));
    await writer.write(writer.latest(stale), { replicas: 2 }, signal);
    assert.equal(writer.latest(stale).status?.replicas, 2);
    await writer.write(writer.latest(stale), { replicas: 1 }, signal);
    assert.equal(kube.find(KafkaConnects, KEY)?.status?.replicas, 1);
  });

  it("believes the cache again once it has caught up", async () => {
    const kube = createFakeKube();
    const writer = createStatusWriter<KafkaConnectStatus>(kube.client, KafkaConnects);
    const object = kube.put(KafkaConnects, kafkaConnect());
    await writer.write(object, { replicas: 2 }, signal);
    const changed = kube.put(KafkaConnects, { ...object, status: { replicas: 7 } });
    assert.equal(writer.latest(changed).status?.replicas, 7);
  });

  it("is content when the object is gone", async () => {
    const kube = createFakeKube();
    const writer = createStatusWriter<KafkaConnectStatus>(kube.client, KafkaConnects);
    await writer.write(kafkaConnect(), { replicas: 2 }, signal);
  });
});
