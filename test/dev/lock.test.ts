import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { tryLock, withLock } from "#dev/lock.ts";

describe("withLock", () => {
  const path = (name: string) => join(tmpdir(), `headrace-lock-${process.pid}-${name}`);

  it("lets one in at a time, tells who waits, and lets go after a failure", async () => {
    let inside = 0;
    let waited = 0;
    const enter = (fail: boolean) =>
      withLock(
        path("turns"),
        async () => {
          inside += 1;
          assert.equal(inside, 1);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
          if (fail) throw new Error("on purpose");
        },
        () => {
          waited += 1;
        },
      );
    const results = await Promise.allSettled([enter(true), enter(false), enter(false)]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "fulfilled", "fulfilled"],
    );
    assert.equal(waited, 2);
  });

  it("is free again when the process that held it was killed", async () => {
    const module = fileURLToPath(import.meta.resolve("#dev/lock.ts"));
    const script = `const { tryLock } = await import(${JSON.stringify(module)});
      await tryLock(${JSON.stringify(path("killed"))}); console.log("held"); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(holder.stdout, "data");
    assert.equal(await tryLock(path("killed")), null);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    const lock = await tryLock(path("killed"));
    assert.ok(lock !== null);
    await lock.release();
  });
});
