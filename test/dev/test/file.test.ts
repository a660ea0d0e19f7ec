import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { repoRoot } from "#dev/cache.ts";
import type { FileEvent } from "#dev/test/event.ts";
import { runTestFile } from "#dev/test/file.ts";

describe("a test file", () => {
  let dir: string;
  before(() => {
    // Within the repository, where Node finds out that it is a module.
    mkdirSync(join(repoRoot, ".headrace"), { recursive: true });
    dir = mkdtempSync(join(repoRoot, ".headrace/test-file-"));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  async function run(name: string, body: string, timeoutMs = 30_000) {
    const file = join(dir, `${name}.test.ts`);
    writeFileSync(file, `import { after, it } from "node:test";\n${body}`);
    const events: FileEvent[] = [];
    const printed: string[] = [];
    const sink = {
      event: (event: FileEvent) => void events.push(event),
      output: (text: string) => void printed.push(text),
    };
    const { fault } = await runTestFile(relative(repoRoot, file), { timeoutMs, sink });
    return { fault, events, output: printed.join("") };
  }

  it("tells of its tests and of what they print", async () => {
    const { fault, events, output } = await run("good", `it("holds", () => console.log("hello"));`);
    assert.equal(fault, null);
    assert.equal(output, "hello\n");
    assert.deepEqual(
      events.flatMap((event) => (event.kind === "pass" ? [event.name] : [])),
      ["holds"],
    );
  });

  it("is heard to its end, though this process had no time for it until it was gone", async () => {
    const ending = run("quick", `for (let i = 0; i < 50; i += 1) it("holds " + i, () => {});`);
    // Let it be started, then look away until it has ended.
    await setImmediate();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000);
    const { fault, events } = await ending;
    assert.equal(fault, null);
    assert.equal(events.filter(({ kind }) => kind === "pass").length, 50);
  });

  it("is at fault if it ends before its tests do", async () => {
    const { fault } = await run("exit", `it("holds", () => process.exit(3));`);
    assert.match(fault ?? "", /^ended without a report \(exit code 3\)/);
  });

  it("is killed when its time is over, even in a hook that never ends", async () => {
    const { fault } = await run(
      "hang",
      `after(() => new Promise(() => setInterval(() => {}, 1000)));\nit("holds", () => {});`,
      3000,
    );
    assert.equal(fault, "was not done after 3 s and was killed");
  });

  it("tells of a failure though it is killed afterwards", async () => {
    const { events } = await run(
      "open",
      `it("holds", () => { setInterval(() => {}, 1000); throw new Error("no"); });`,
      3000,
    );
    assert.deepEqual(
      events.flatMap((event) => (event.kind === "fail" ? [event.name] : [])),
      ["holds"],
    );
  });
});
