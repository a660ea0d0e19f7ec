import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toShownTrace } from "#operator/connector/trace.ts";

describe("toShownTrace", () => {
  const config = {
    "connection.password": "s3same-open",
    "connection.user": "reader",
    "api.key": "$" + "{secrets:ns/db:key}",
    pin: "1234",
    "short.token": "abc",
  };
  const table: readonly [string, string][] = [
    ["login failed for reader with s3same-open", "login failed for reader with [hidden]"],
    ["cannot connect to postgres://reader:hunter2@db:5432/x", "cannot connect to postgres://reader:[hidden]@db:5432/x"],
    ["401: Authorization: Bearer eyJhbGciOi.x-y_z", "401: Authorization: Bearer [hidden]"],
    ['{"password":"p w","user":"u"}', '{"password":[hidden],"user":"u"}'],
    ["jdbc:x?user=a&password=b&ssl=true", "jdbc:x?user=a&password=[hidden]&ssl=true"],
    ["key:\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nend", "key:\n[hidden]\nend"],
    ["task 1234 abc failed", "task 1234 abc failed"],
    ["Error: secret not found", "Error: secret not found"],
  ];
  for (const [trace, shown] of table) {
    it(`shows ${shown.split("\n")[0]}`, () => assert.equal(toShownTrace(trace, config), shown));
  }

  it("shows the beginning only", () => {
    assert.equal(toShownTrace("x".repeat(5_000), {}).length, 1_025);
  });
});
