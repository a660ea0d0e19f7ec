import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createCanaries } from "#support/canaries.ts";

describe("createCanaries", () => {
  const canaries = createCanaries();
  const password = canaries.plant("password");

  it("plants values that stay the same", () => {
    assert.equal(canaries.plant("password"), password);
    assert.notEqual(canaries.plant("token"), password);
  });

  const hidden: readonly [form: string, text: string][] = [
    ["as it is", `{"a":"${password}"}`],
    ["in base64", Buffer.from(password).toString("base64")],
    ["in base64 after one byte", Buffer.from(`x${password}yz`).toString("base64")],
    ["in base64 after two bytes", Buffer.from(`xx${password}`).toString("base64")],
    ["in base64 after a name", Buffer.from(`user:${password}\n`).toString("base64url")],
    ["in hex", Buffer.from(password).toString("hex")],
  ];
  for (const [form, text] of hidden) {
    it(`finds one ${form}`, () => {
      const [first = "", ...others] = canaries.findIn("here", `before ${text} after`);
      assert.match(first, /^here shows password \(/);
      assert.ok(others.every((other) => other.startsWith("here shows password (")));
    });
  }

  it("finds nothing where nothing is", () => {
    assert.deepEqual(canaries.findIn("here", `canary-password-${"0".repeat(18)}`), []);
  });

  it("looks into all files below a directory", () => {
    const dir = mkdtempSync(join(tmpdir(), "headrace-canaries-"));
    try {
      mkdirSync(join(dir, "a/b"), { recursive: true });
      writeFileSync(join(dir, "a/b/file"), Buffer.concat([Buffer.from([0, 255]), Buffer.from(password)]));
      assert.equal(canaries.findBelow(dir).length, 1);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
