import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { usageOf } from "../../bench/usage.ts";

describe("the usage of a tree of processes", () => {
  it("includes children", async () => {
    const code = "const used = Buffer.alloc(64 << 20, 1); console.log(used.length); setInterval(() => {}, 1000)";
    const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      await once(child.stdout, "data");
      const { cpuSeconds, residentBytes } = usageOf(process.pid);
      const own = usageOf(child.pid ?? 0);
      assert.ok(own.residentBytes > 64 << 20);
      assert.ok(residentBytes > own.residentBytes);
      assert.ok(cpuSeconds > 0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("is nothing for a process that is gone", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    assert.deepEqual(usageOf(child.pid ?? 0), { cpuSeconds: 0, residentBytes: 0 });
  });
});
