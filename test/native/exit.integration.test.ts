import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "#support/eventually.ts";
import { sharedKafka } from "#support/kafka.ts";
import { createTopic } from "./clients.ts";

/** A process that ends while clients are busy must not take longer than this. */
const PROMPT_MS = 30_000;

function start(fixture: string, ...args: readonly string[]): ChildProcess {
  const file = fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url));
  return spawn(process.execPath, ["--no-warnings", "--conditions=source", file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

function ending(child: ChildProcess): Promise<Ending> {
  let output = "";
  child.stdout?.on("data", (data: Buffer) => (output += data));
  child.stderr?.on("data", (data: Buffer) => (output += data));
  return new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal, output })));
}

const firstLine = (child: ChildProcess) =>
  new Promise<string>((resolve) => child.stdout?.once("data", (data: Buffer) => resolve(data.toString().trim())));

/** Whether a process runs; one that has ended and was not waited for does not. */
function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

describe("a process with busy clients", { timeout: 280_000 }, () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let topic: string;
  before(async () => {
    kafka = await sharedKafka();
    topic = await createTopic(kafka.bootstrap);
  });
  after(() => kafka.stop());

  const expected: readonly (readonly [string, number, RegExp])[] = [
    ["exit", 7, /^$/],
    ["throw", 1, /uncaught on purpose/],
    ["close", 0, /^busy\n$/],
    ["thread", 0, /terminated/],
  ];
  for (const [mode, code, output] of expected) {
    it(`ends with code ${code}: ${mode}`, async () => {
      const result = await ending(start("busy-clients.ts", mode, kafka.bootstrap, topic));
      assert.deepEqual([result.code, result.signal], [code, null], result.output);
      assert.match(result.output, output);
    });
  }

  it("is gone at once when it is killed", async () => {
    const child = start("busy-clients.ts", "killed", kafka.bootstrap, topic);
    assert.equal(await firstLine(child), "busy");
    const end = ending(child);
    const began = performance.now();
    child.kill("SIGKILL");
    assert.equal((await end).signal, "SIGKILL");
    assert.ok(performance.now() - began < PROMPT_MS);
  });
});

describe("dieWithParent", () => {
  it("kills a process with a blocked event loop when its parent is killed", async () => {
    const parent = start("blocked-child.ts");
    const child = Number(await firstLine(parent));
    assert.ok(runs(child));
    const end = ending(parent);
    parent.kill("SIGKILL");
    await eventually("the child is gone", () => !runs(child), PROMPT_MS);
    await end;
  });

  it("ends a process whose parent is gone already", async () => {
    const script =
      'import("@headrace/native").then(({ dieWithParent }) => { dieWithParent(999999999); console.log("alive") })';
    const child = spawn(process.execPath, ["--no-warnings", "--conditions=source", "-e", script], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
    });
    assert.deepEqual(await ending(child), { code: 1, signal: null, output: "" });
  });
});
