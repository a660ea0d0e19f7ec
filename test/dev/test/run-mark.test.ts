import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { startTicks } from "#dev/process-table.ts";
import { eventually } from "#support/eventually.ts";

const dev = (file: string) => JSON.stringify(join(repoRoot, "dev", file));

/** A run as `dev/test.ts` makes it: a server, and a test file that never ends and has left a process of its own on its own. */
const run = (file: string) => `
  const { exitOnSignals, startProcess } = await import(${dev("process.ts")});
  const { runTestFile } = await import(${dev("test/file.ts")});
  const { markRun } = await import(${dev("test/run-mark.ts")});
  const { startContainerProcess } = await import(${dev("agent/container-process.ts")});
  exitOnSignals();
  markRun();
  const server = await startProcess({ name: "server", command: "sleep", args: ["600"], logFile: "server.log" });
  const container = { dir: process.cwd() + "/container", command: ["sleep", "600"], env: { PATH: process.env.PATH }, cwd: ".", logFile: "container.log" };
  const { pid } = await startContainerProcess(container);
  console.log(server.pid);
  console.log(pid);
  await runTestFile(${JSON.stringify(file)}, { timeoutMs: 600_000, sink: { event() {}, output: (text) => process.stdout.write(text) } });`;

const NEVER_ENDS = `
  import { spawn } from "node:child_process";
  import { it } from "node:test";
  it("waits", async () => {
    const child = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
    console.log(process.pid);
    console.log(child.pid);
    await new Promise(() => setInterval(() => {}, 1000));
  });`;

describe("a run of tests that is interrupted", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`by ${signal} ends all that it started: servers, test files, what these have started, containers`, async () => {
      // Within the repository, where Node finds out that it is a module.
      mkdirSync(join(repoRoot, ".headrace"), { recursive: true });
      const dir = mkdtempSync(join(repoRoot, ".headrace/run-mark-"));
      const file = join(dir, "never-ends.test.ts");
      writeFileSync(file, NEVER_ENDS);
      const script = ["--conditions=source", "--input-type=module", "-e", run(relative(repoRoot, file))];
      const runner = spawn(process.execPath, script, { cwd: dir, stdio: ["ignore", "pipe", "inherit"] });
      try {
        const ended = once(runner, "exit");
        const pids: number[] = [];
        for await (const line of createInterface({ input: runner.stdout })) if (pids.push(Number(line)) === 4) break;
        assert.ok(
          pids.every((pid) => pid > 1),
          pids.join(),
        );
        runner.kill(signal);
        assert.deepEqual(await ended, [signal === "SIGTERM" ? 143 : 130, null]);
        await eventually("all have ended", () => pids.every((pid) => startTicks(pid) === null));
      } finally {
        runner.kill("SIGKILL");
        rmSync(dir, { recursive: true, force: true });
      }
    });
  }
});
