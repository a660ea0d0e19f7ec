import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findPackages } from "#runtime/plugins/manifest.ts";

const signal = new AbortController().signal;

describe("findPackages", () => {
  it("tells a directory that is not there, but for the one that images may have", async () => {
    const { packages, problems } = await findPackages(["/opt/headrace/plugins", "/no/such/directory"], signal);
    assert.deepEqual(packages, []);
    assert.deepEqual(
      problems.map(({ directory }) => directory),
      ["/no/such/directory"],
    );
  });
});
