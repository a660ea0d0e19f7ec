import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { repoRoot } from "#dev/cache.ts";
import { freePorts } from "#dev/process.ts";
import { startTicks } from "#dev/process-table.ts";
import { eventually } from "#support/eventually.ts";

const exec = promisify(execFile);

describe("free ports", () => {
  it("are given to one caller only, in all processes, while he runs", async (t) => {
    // All begin to look at the same place.
    t.mock.method(Math, "random", () => 0.5);
    const ours = (await Promise.all([freePorts(20), freePorts(20), freePorts(20)])).flat();
    assert.equal(new Set(ours).size, 60);
    const script = `
      Math.random = () => 0.5;
      const { freePorts } = await import(${JSON.stringify(join(repoRoot, "dev/process.ts"))});
      console.log(JSON.stringify(await freePorts(60)));`;
    const { stdout } = await exec(process.execPath, ["--input-type=module", "-e", script]);
    const theirs = JSON.parse(stdout) as readonly number[];
    assert.equal(new Set([...ours, ...theirs]).size, 120);
  });

  it("are free, and none that the kernel gives to others", async () => {
    const [port = 0] = await freePorts(1);
    assert.ok(port >= 10_000 && port < 32_768, String(port));
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    server.close();
    await once(server, "close");
  });
});

describe("a started process", () => {
  it("gets the wanted signal when the one that started it is killed", async () => {
    const dir = mkdtempSync(join(tmpdir(), "headrace-process-"));
    const script = `
      const { startProcess } = await import(${JSON.stringify(join(repoRoot, "dev/process.ts"))});
      const { pid } = await startProcess({ name: "child", command: "sleep", args: ["600"], logFile: "log", signalAtParentsEnd: "SIGTERM" });
      console.log(pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: dir, stdio: "pipe" });
    try {
      const [line] = await once(createInterface({ input: parent.stdout }), "line");
      const pid = Number(line);
      // Until setpriv has become the program, there is nothing that the kernel could tell of the parent's end.
      const isSleep = () => readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep");
      await eventually("the program runs", isSleep);
      parent.kill("SIGKILL");
      await eventually("it has ended", () => startTicks(pid) === null);
    } finally {
      parent.kill("SIGKILL");
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
