import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { restartRequest } from "#operator/connector/restart.ts";
import { kafkaConnector } from "#support/connect-objects.ts";

function request(annotations: Record<string, string>) {
  return restartRequest(kafkaConnector({}, { metadata: { annotations } }));
}

describe("restartRequest", () => {
  const scopes: readonly [string, boolean, boolean][] = [
    ["true", false, false],
    ["includeTasks", true, false],
    ["onlyFailed", false, true],
    ["includeTasks, onlyFailed", true, true],
  ];
  for (const [value, includeTasks, onlyFailed] of scopes) {
    it(`reads restart: ${value}`, () => {
      const annotation = "headrace.dev/restart";
      const scope = { includeTasks, onlyFailed };
      assert.deepEqual(request({ [annotation]: value }), { kind: "connector", annotation, scope });
    });
  }

  it("understands Strimzi's annotations", () => {
    assert.equal(request({ "strimzi.io/restart": "true" })?.annotation, "strimzi.io/restart");
    const annotation = "strimzi.io/restart-task";
    assert.deepEqual(request({ [annotation]: "3" }), { kind: "task", annotation, task: 3 });
  });

  for (const value of ["false", ""]) {
    it(`takes "${value}" for no request`, () => assert.equal(request({ "headrace.dev/restart": value }), null));
  }

  for (const [name, value] of [
    ["restart", "now"],
    ["restart", "true,onlyFailed"],
    ["restart-task", "first"],
    ["restart-task", "-1"],
  ] as const) {
    it(`does not understand ${name}: ${value}`, () => {
      const found = request({ [`headrace.dev/${name}`]: value });
      assert.equal(found?.kind, "unknown");
    });
  }
});
