import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { buildNative } from "#dev/setup/native.ts";

const LIMIT_MS = 600_000;
/** The one that waits comes first: the others run meanwhile. */
const FILES = [
  "test/chaos/broker-away.integration.test.ts",
  ...globSync("test/native/*.test.ts", { cwd: repoRoot }).toSorted(),
];

/** The first memory error ends the process that made it, with a report. */
describe("the native addon under address and undefined behaviour sanitizers", { timeout: LIMIT_MS }, () => {
  before(() => buildNative("asan"));

  it("makes no memory error in its own tests, nor with a broker that is away and message time-outs", async (t) => {
    const { code, output } = await runSanitized(FILES, t.signal);
    assert.equal(code, 0, output.slice(-20_000));
    assert.doesNotMatch(output, /AddressSanitizer|runtime error:/);
    const [, passed = "0"] = /^# pass (\d+)$/m.exec(output) ?? [];
    const [, failed] = /^# fail (\d+)$/m.exec(output) ?? [];
    assert.ok(Number(passed) >= FILES.length && failed === "0", output.slice(-20_000));
    t.diagnostic(`table | native addon under sanitizers | ${passed} tests | no memory error`);
  });
});

async function runSanitized(
  files: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const options = ["--conditions=source", "--test", "--test-reporter=tap", "--test-concurrency=3"];
  const child = spawn(process.execPath, [join(repoRoot, "native/asan.ts"), ...options, ...files], {
    cwd: repoRoot,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  // It waits for its own child, which has the other ends of the pipes and ends with them.
  const abort = () => child.kill("SIGKILL");
  signal.addEventListener("abort", abort, { once: true });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  signal.removeEventListener("abort", abort);
  return { code: typeof code === "number" ? code : null, output };
}
