import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { classify, type KubeErrorCode, toKubeError } from "#operator/kube/errors.ts";

describe("classify", () => {
  const table: readonly [status: number, reason: string, code: KubeErrorCode][] = [
    [404, "NotFound", "not-found"],
    [404, "", "not-found"],
    [409, "Conflict", "conflict"],
    [409, "AlreadyExists", "already-exists"],
    [409, "", "conflict"],
    [410, "Expired", "expired"],
    [410, "Gone", "expired"],
    [410, "", "expired"],
    [429, "TooManyRequests", "too-many-requests"],
    [403, "Forbidden", "forbidden"],
    [401, "Unauthorized", "unauthorized"],
    [422, "Invalid", "invalid"],
    [400, "BadRequest", "invalid"],
    [415, "", "invalid"],
    [500, "InternalError", "unavailable"],
    [503, "ServiceUnavailable", "unavailable"],
    [502, "", "unavailable"],
    [504, "Timeout", "timeout"],
    [500, "ServerTimeout", "timeout"],
    [418, "SomethingNew", "invalid"],
    [302, "", "malformed"],
  ];
  for (const [status, reason, code] of table) {
    it(`${status} ${reason || "without a reason"} is ${code}`, () => assert.equal(classify(status, reason), code));
  }
});

describe("toKubeError", () => {
  it("takes code, message, causes and the pause from a Status", () => {
    const error = toKubeError(
      "applying pods a/b",
      429,
      {
        kind: "Status",
        code: 429,
        reason: "TooManyRequests",
        message: "slow down",
        details: { retryAfterSeconds: 3, causes: [{ reason: "X", field: "spec" }] },
      },
      null,
    );
    assert.equal(error.message, "applying pods a/b: slow down");
    assert.deepEqual([error.code, error.status, error.retryAfterMs], ["too-many-requests", 429, 3_000]);
    assert.deepEqual(error.causes, [{ reason: "X", field: "spec" }]);
  });

  it("counts a page of somebody else by its HTTP status", () => {
    const error = toKubeError("listing pods", 502, undefined, 1_000);
    assert.deepEqual([error.code, error.status, error.retryAfterMs], ["unavailable", 502, 1_000]);
  });
});
