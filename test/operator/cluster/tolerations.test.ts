import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toTolerations } from "#operator/cluster/tolerations.ts";

const NOT_READY = "node.kubernetes.io/not-ready";
const UNREACHABLE = "node.kubernetes.io/unreachable";

function short(key: string): object {
  return { key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 30 };
}

describe("toTolerations", () => {
  it("lets a pod stay for 30 s on a node that is lost", () => {
    assert.deepEqual(toTolerations(), [short(NOT_READY), short(UNREACHABLE)]);
  });

  it("keeps what users tolerate", () => {
    const own = { key: "dedicated", operator: "Equal", value: "connect", effect: "NoSchedule" };
    assert.deepEqual(toTolerations([own]), [own, short(NOT_READY), short(UNREACHABLE)]);
  });

  it("adds nothing for a taint that users speak of", () => {
    const own = { key: UNREACHABLE, operator: "Exists", effect: "NoExecute", tolerationSeconds: 600 };
    assert.deepEqual(toTolerations([own]), [own, short(NOT_READY)]);
    const anyEffect = { key: NOT_READY, operator: "Exists" };
    assert.deepEqual(toTolerations([anyEffect]), [anyEffect, short(UNREACHABLE)]);
  });

  it("adds nothing for those who tolerate everything, but for who tolerates everything at scheduling only", () => {
    assert.deepEqual(toTolerations([{ operator: "Exists" }]), [{ operator: "Exists" }]);
    const scheduling = { operator: "Exists", effect: "NoSchedule" };
    assert.deepEqual(toTolerations([scheduling]), [scheduling, short(NOT_READY), short(UNREACHABLE)]);
  });
});
