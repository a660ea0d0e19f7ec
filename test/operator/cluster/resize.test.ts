import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planResize, type Resize } from "#operator/cluster/resize.ts";
import type { Pod } from "#operator/kube/resources.ts";
import { workerPod } from "#support/connect-objects.ts";

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
