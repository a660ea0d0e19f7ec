import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toRefusal } from "#operator/cluster/attempt.ts";
import { KubeError, toKubeError } from "#operator/kube/errors.ts";

const WEBHOOK = {
  kind: "Status",
  code: 500,
  reason: "InternalError",
  message: 'Internal error occurred: failed calling webhook "x": connection refused',
};
const failed = toKubeError("applying services a/b", 500, WEBHOOK, null);

describe("toRefusal", () => {
  for (const code of ["invalid", "forbidden"] as const) {
    it(`tells at once what is ${code}`, () => {
      const { findings } = toRefusal(new KubeError(code, "no", { status: 422 }), { sinceMs: null }, 1_000);
      assert.deepEqual(findings, { kind: "refused", message: "no" });
    });
  }

  const lasting: readonly [string, KubeError][] = [
    ["an answer that it has failed", failed],
    ["an answer that it has too much to do", new KubeError("too-many-requests", "try again later", { status: 429 })],
    ["no answer in time", new KubeError("timeout", "applying services a/b: no answer within 15000 ms")],
  ];
  for (const [what, error] of lasting) {
    it(`tells ${what} once it lasts`, () => {
      const failing = { sinceMs: null };
      assert.throws(() => toRefusal(error, failing, 1_000), error);
      assert.throws(() => toRefusal(error, failing, 10_999), error);
      const { findings, outcome } = toRefusal(error, failing, 11_000);
      assert.deepEqual(findings, { kind: "failing", message: error.message });
      assert.equal(outcome.kind, "retry-after");
    });
  }

  const passed: readonly [string, Error][] = [
    ["an API server that cannot be reached", new KubeError("unavailable", "connection refused")],
    ["a conflict", new KubeError("conflict", "changed", { status: 409 })],
    ["a lost lease", new KubeError("fenced", "not the leader")],
    ["a bug", new Error("bug")],
  ];
  for (const [what, error] of passed) {
    it(`leaves ${what} to whoever calls, however long it lasts`, () => {
      assert.throws(() => toRefusal(error, { sinceMs: 0 }, 1_000_000), error);
    });
  }
});
