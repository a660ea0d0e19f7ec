import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { repoRoot } from "#dev/cache.ts";

const run = promisify(execFile);

describe("make demo", () => {
  it("holds in every point, on a stack of its own, and leaves nothing running", { timeout: 560_000 }, async () => {
    const dir = mkdtempSync(join(tmpdir(), "headrace-demo-"));
    const env = {
      ...process.env,
      HEADRACE_STATE: join(dir, "state"),
      HEADRACE_KAFKA_BOOTSTRAP: "",
      HEADRACE_KUBECONFIG: "",
    };
    const command = (script: string, ...args: string[]) =>
      run(process.execPath, ["--conditions=source", join(repoRoot, script), ...args], { env, maxBuffer: 1 << 24 });
    try {
      const { stdout } = await command("dev/demo/main.ts").catch((error: { stdout?: string }) => {
        assert.fail(`the demo failed:\n${error.stdout ?? String(error)}`);
      });
      assert.match(stdout, /no order is missing/);
      assert.doesNotMatch(stdout, /✗/);
      await assert.rejects(command("dev/cli.ts", "status"), "nothing is up any more");
    } finally {
      await command("dev/cli.ts", "down");
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
