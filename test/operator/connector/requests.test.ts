import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readRequests } from "#operator/connector/requests.ts";
import { kafkaConnector } from "#support/connect-objects.ts";

function requests(annotations: Record<string, string>, status = {}) {
  return readRequests(kafkaConnector({}, { metadata: { annotations }, status }));
}

describe("readRequests", () => {
  const scopes: readonly [string, boolean, boolean][] = [
    ["true", false, false],
    ["includeTasks", true, false],
    ["onlyFailed", false, true],
    ["includeTasks, onlyFailed", true, true],
    ["INCLUDETASKS", true, false],
  ];
  for (const [value, includeTasks, onlyFailed] of scopes) {
    it(`reads restart: ${value}`, () => {
      const annotation = "headrace.dev/restart";
      const scope = { includeTasks, onlyFailed };
      assert.deepEqual(requests({ [annotation]: value }).next, {
        kind: "restart",
        annotation,
        value,
        id: null,
        scope,
      });
    });
  }

  for (const prefix of ["headrace.dev", "strimzi.io", "eventstreams.ibm.com"]) {
    it(`understands annotations of ${prefix}`, () => {
      const annotation = `${prefix}/restart-task`;
      const value = "3";
      const wanted = { kind: "restart-task", annotation, value, id: null, task: 3 };
      assert.deepEqual(requests({ [annotation]: value }).next, wanted);
      assert.equal(requests({ [`${prefix}/restart`]: "true" }).next?.kind, "restart");
      const offsets = requests({ [`${prefix}/connector-offsets`]: "Reset" }).next;
      assert.equal(offsets?.kind === "offsets" && offsets.verb, "reset");
    });
  }

  for (const [name, value] of [
    ["restart", "false"],
    ["restart", ""],
    ["restart-task", ""],
    ["connector-offsets", "none"],
    ["connector-offsets", ""],
  ] as const) {
    it(`takes ${name}: "${value}" for no request`, () => {
      assert.deepEqual(requests({ [`headrace.dev/${name}`]: value }), { next: null, problems: [] });
    });
  }

  for (const [name, value] of [
    ["restart", "now"],
    ["restart", "true,onlyFailed"],
    ["restart-task", "first"],
    ["restart-task", "-1"],
    ["connector-offsets", "delete"],
  ] as const) {
    it(`names ${name}: ${value}, which it does not understand, and obeys the others`, () => {
      const { next, problems } = requests({ [`headrace.dev/${name}`]: value, "strimzi.io/restart": "includeTasks" });
      assert.equal(next?.annotation, "strimzi.io/restart");
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? "", new RegExp(`headrace.dev/${name} is "${value}"`));
    });
  }

  it("does not ask again for what has been done with the same requested-at", () => {
    const annotations = { "headrace.dev/restart": "true", "headrace.dev/requested-at": "monday" };
    const done = { type: "Restart", request: "true", result: "Succeeded", finishedAt: "" } as const;
    assert.equal(requests(annotations).next?.id, "monday");
    assert.equal(requests(annotations, { operations: [{ ...done, requestedAt: "monday" }] }).next, null);
    assert.equal(requests(annotations, { operations: [{ ...done, requestedAt: "sunday" }] }).next?.id, "monday");
    assert.equal(requests(annotations, { operations: [done] }).next?.id, "monday");
  });
});
