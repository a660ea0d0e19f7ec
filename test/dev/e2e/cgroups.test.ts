import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { isUnified, leftCgroups, makeCgroups, missingControllers } from "#dev/e2e/cgroups.ts";

/** A directory in place of the kernel's file system: files do not appear by themselves. */
describe("cgroups of nodes", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "headrace-cgroups-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const put = (path: string, text: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  it("of version 1 are one in each hierarchy", () => {
    for (const name of ["cpu", "memory", "pids"]) put(`${name}/cgroup.procs`, "");
    mkdirSync(join(root, "unified"));
    assert.equal(isUnified(root), false);
    assert.deepEqual(missingControllers(root), ["cpuset"]);
    makeCgroups("ours", ["node-1"], root);
    assert.deepEqual(
      leftCgroups((name) => name === "ours", root),
      ["ours"],
    );
  });

  it("of version 1 get the processors and memory nodes of the group above them", () => {
    put("cpuset/cgroup.procs", "");
    put("cpuset/cpuset.cpus", "0-1");
    put("cpuset/cpuset.mems", "0");
    for (const path of ["cpuset/ours", "cpuset/ours/node-1"])
      for (const file of ["cpuset.cpus", "cpuset.mems"]) put(`${path}/${file}`, "");
    makeCgroups("ours", ["node-1"], root);
    assert.equal(readFileSync(join(root, "cpuset/ours/node-1/cpuset.cpus"), "utf8"), "0-1");
  });

  it("have a weight that counts beside all that is in no group", () => {
    put("cpu/cgroup.procs", "");
    put("cpu/ours/cpu.shares", "1024");
    makeCgroups("ours", [], root);
    assert.equal(readFileSync(join(root, "cpu/ours/cpu.shares"), "utf8"), "16384");
  });

  it("of version 2 hand all controllers on", () => {
    put("cgroup.controllers", "cpuset cpu memory pids\n");
    put("ours/cgroup.controllers", "cpu memory\n");
    put("ours/node-1/cgroup.controllers", "cpu\n");
    assert.equal(isUnified(root), true);
    assert.deepEqual(missingControllers(root), []);
    makeCgroups("ours", ["node-1"], root);
    assert.equal(readFileSync(join(root, "ours/cgroup.subtree_control"), "utf8"), "+cpu +memory");
    assert.deepEqual(
      leftCgroups((name) => name.startsWith("o"), root),
      ["ours"],
    );
  });
});
