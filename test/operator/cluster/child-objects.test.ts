import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { createChildObjects } from "#operator/cluster/child-objects.ts";
import { type Desired, desire } from "#operator/cluster/desired.ts";
import { ConfigMaps, RoleBindings, Roles, Services } from "#operator/kube/resources.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";

const signal = AbortSignal.timeout(60_000);
const SERVICE = { namespace: "ns", name: "my-connect-connect-api" };

describe("createChildObjects", () => {
  let kube: FakeKube;
  let desired: Desired;
  let nowMs: number;
  let calls: string[];

  beforeEach(() => {
    kube = createFakeKube();
    desired = desire(kafkaConnect(), "worker:1");
    nowMs = 1_000_000;
    calls = [];
  });

  const children = () =>
    createChildObjects({
      kube: {
        async apply(type, object, limit) {
          calls.push(type.kind);
          return await kube.client.apply(type, object, limit);
        },
      },
      now: () => nowMs,
    });

  it("makes all objects, a Role before the RoleBinding that names it", async () => {
    await children().apply(desired, null, signal);
    assert.equal(kube.all(Services).length, 2);
    assert.equal(kube.all(RoleBindings).length, 1);
    assert.ok(calls.indexOf(Roles.kind) < calls.indexOf(RoleBindings.kind));
  });

  it("does not repeat what it has just applied, and repairs it a moment later", async () => {
    const last = await children().apply(desired, null, signal);
    kube.remove(Services, SERVICE);
    assert.equal(await children().apply(desired, last, signal), last);
    assert.equal(kube.find(Services, SERVICE), null);
    nowMs += 10_000;
    await children().apply(desired, last, signal);
    assert.notEqual(kube.find(Services, SERVICE), null);
  });

  it("applies another revision at once, and the former one again after it", async () => {
    const first = await children().apply(desired, null, signal);
    const other = desire(kafkaConnect({ config: { "offset.flush.interval.ms": 1 } }), "worker:1");
    const second = await children().apply(other, first, signal);
    kube.remove(ConfigMaps, { namespace: "ns", name: desired.configMap.metadata.name });
    await children().apply(desired, second, signal);
    assert.equal(kube.all(ConfigMaps).length, 2);
  });

  it("fails only when nothing is on its way any more", async () => {
    kube.failNext("apply", "unavailable");
    await assert.rejects(children().apply(desired, null, signal));
    const done = calls.length;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(calls.length, done);
    assert.equal(kube.all(Services).length, 2);
  });
});
