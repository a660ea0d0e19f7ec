import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planResize, type Resize, type Resized, resizePods } from "#operator/cluster/resize.ts";
import { buildStatefulSet } from "#operator/cluster/stateful-set.ts";
import { type Pod, Pods } from "#operator/kube/resources.ts";
import { kafkaConnect, workerPod } from "#support/connect-objects.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const CONTAINER = "my-connect-connect";
const RESOURCES = { limits: { memory: "1Gi" }, requests: { cpu: "500m" } };
type Condition = NonNullable<NonNullable<Pod["status"]>["conditions"]>[number];

function pod(resources: object | undefined, ...conditions: readonly Condition[]): Pod {
  const container = { name: CONTAINER, ...(resources === undefined ? {} : { resources }) };
  return { ...workerPod(0, { status: { conditions } }), spec: { containers: [container] } };
}

const pending = (reason: string): Condition => ({
  type: "PodResizePending",
  status: "True",
  reason,
  message: "not enough memory",
});

describe("planResize", () => {
  const cases: readonly [string, Pod, boolean, Resize][] = [
    ["nothing to do", pod(RESOURCES), false, { kind: "none" }],
    ["other resources", pod({ ...RESOURCES, limits: { memory: "2Gi" } }), false, { kind: "resize" }],
    ["none so far", pod(undefined), false, { kind: "resize" }],
    [
      "a node that is too small",
      pod(RESOURCES, pending("Infeasible")),
      true,
      { kind: "replace", why: "its node cannot give it that: not enough memory" },
    ],
    [
      "a node that is full now",
      pod(RESOURCES, pending("Deferred")),
      false,
      { kind: "replace", why: "its node has no room now: not enough memory" },
    ],
    ["a node that is full now, and somebody who waits", pod(RESOURCES, pending("Deferred")), true, { kind: "wait" }],
    ["a resize in progress", pod(RESOURCES, { type: "PodResizeInProgress", status: "True" }), false, { kind: "none" }],
  ];
  for (const [what, subject, patient, resize] of cases) {
    it(`decides: ${what}`, () =>
      assert.deepEqual(planResize(subject, CONTAINER, { wanted: RESOURCES, patient }), resize));
  }
});

describe("resizePods", () => {
  it("resizes a worker once, though the watch tells of it late", async () => {
    const kube = createFakeKube();
    const annotations = { "headrace.dev/in-place-resizing": "true" };
    const connect = kafkaConnect({}, { metadata: { namespace: "ns", name: "my-connect", annotations } });
    const before = kube.put(Pods, workerPod(0));
    const resized: Resized = new Map();
    const resize = (pods: readonly Pod[], cpu: string) => {
      const container = { name: CONTAINER, resources: { requests: { cpu } } };
      const { annotations: marks = {} } = before.metadata;
      const template = { metadata: { annotations: marks }, spec: { containers: [container] } };
      const statefulSet = buildStatefulSet(connect, template, 1);
      const deps = { kube: kube.client, events: kube.recorder, pods: { ...kube.store(Pods), list: () => pods } };
      return resizePods(deps, { connect, statefulSet, resized }, AbortSignal.timeout(60_000));
    };
    const times = () => kube.events.filter(({ reason }) => reason === "Resized").length;
    const pending = /^my-connect-connect-0 is being given its new resources$/;
    assert.match((await resize([before], "100m")) ?? "", pending);
    assert.match((await resize([before], "100m")) ?? "", pending);
    assert.equal(times(), 1);
    assert.equal(await resize(kube.all(Pods), "100m"), null);
    assert.match((await resize(kube.all(Pods), "200m")) ?? "", pending);
    assert.equal(times(), 2);
  });
});
