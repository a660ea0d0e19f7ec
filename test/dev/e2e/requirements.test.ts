import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type MachineFacts, obstacles } from "#dev/e2e/requirements.ts";

const ABLE: MachineFacts = {
  platform: "linux",
  isRoot: true,
  missingControllers: [],
  cgroupRefusal: null,
  missingPrograms: [],
  kernelRefusal: null,
};

describe("what keeps a machine from having nodes", () => {
  it("is nothing on Linux, as root, with cgroups and namespaces", () => {
    assert.deepEqual(obstacles(ABLE), []);
  });

  it("is the platform alone where that is not Linux", () => {
    assert.deepEqual(obstacles({ ...ABLE, platform: "darwin", isRoot: false, missingPrograms: ["ip"] }), [
      "nodes run on Linux only, this is darwin",
    ]);
  });

  it("names everything that is missing", () => {
    const facts = {
      ...ABLE,
      isRoot: false,
      missingControllers: ["memory"],
      cgroupRefusal: "EROFS: read-only file system",
      missingPrograms: ["ip"],
      kernelRefusal: "unshare: not permitted",
    };
    const found = obstacles(facts).join("\n");
    for (const word of [/root/, /controller memory/, /EROFS/, /program ip/, /unshare: not permitted/])
      assert.match(found, word);
  });
});
