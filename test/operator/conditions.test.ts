import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Assessment, toConditions } from "#operator/conditions.ts";

const NOW = Date.parse("2026-01-01T00:00:10.500Z");
const THEN = "2026-01-01T00:00:00Z";

function types(assessment: Assessment): readonly string[] {
  return toConditions(assessment, undefined, NOW).map(({ type, status, reason }) => `${type}=${status} ${reason}`);
}

describe("toConditions", () => {
  it("has Ready alone when all is well", () => {
    const assessment: Assessment = { ready: "True", reason: "Ready", message: "m", progress: "settled" };
    assert.deepEqual(types(assessment), ["Ready=True Ready"]);
  });

  it("has Reconciling on the way, and no NotReady, which is a failure for Argo CD", () => {
    const assessment: Assessment = { ready: "False", reason: "Rolling", message: "m", progress: "reconciling" };
    assert.deepEqual(types(assessment), ["Ready=False Rolling", "Reconciling=True Rolling"]);
  });

  it("has Stalled when nothing moves without a change from outside, and NotReady before Ready", () => {
    const assessment: Assessment = { ready: "False", reason: "Bad", message: "m", progress: "stalled" };
    assert.deepEqual(types(assessment), ["NotReady=True Bad", "Ready=False Bad", "Stalled=True Bad"]);
  });

  it("does not pretend to know", () => {
    const assessment: Assessment = { ready: "Unknown", reason: "Lost", message: "m", progress: "reconciling" };
    assert.ok(types(assessment).includes("Ready=Unknown Lost"));
  });

  it("puts warnings into one condition", () => {
    const assessment: Assessment = {
      ready: "True",
      reason: "R",
      message: "m",
      progress: "settled",
      warnings: ["One.", "Two."],
    };
    const warning = toConditions(assessment, undefined, NOW).find(({ type }) => type === "Warning");
    assert.deepEqual([warning?.status, warning?.message], ["True", "One. Two."]);
  });

  it("keeps the time of the last change of status", () => {
    const assessment: Assessment = { ready: "True", reason: "New", message: "n", progress: "settled" };
    const before = { type: "Ready", reason: "Old", message: "o", lastTransitionTime: THEN };
    const [kept] = toConditions(assessment, [{ ...before, status: "True" }], NOW);
    assert.deepEqual([kept?.lastTransitionTime, kept?.reason], [THEN, "New"]);
    const [changed] = toConditions(assessment, [{ ...before, status: "False" }], NOW);
    assert.equal(changed?.lastTransitionTime, "2026-01-01T00:00:10Z");
  });
});
