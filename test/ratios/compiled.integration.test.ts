import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, startWorker } from "#support/worker.ts";
import { COMPILED_WORKER, compileWorker } from "../../bench/compiled.ts";
import { createConnector, waitForTasks } from "../../bench/connect.ts";

/** Lets each process tell its script and Node's options: worker and executors have the same imports. */
const TELLING = `import { appendFileSync } from "node:fs";
appendFileSync(process.env.HEADRACE_TOLD, JSON.stringify([process.argv[1], ...process.execArgv]) + "\\n");`;

/** What the benchmark measures is what ships. */
describe("the benchmark's worker", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-compiled-"));
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;

  before(async () => {
    kafka = await sharedKafka();
    await compileWorker();
  });
  after(async () => {
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("runs compiled code only, in its executors as well", async () => {
    const group = uniqueName("compiled");
    const [input, told] = [join(dir, "in.txt"), join(dir, "told.txt")];
    writeFileSync(input, "a line\n");
    const worker = await startWorker({
      dir,
      properties: groupProperties(kafka.bootstrap, group),
      program: [`--import=data:text/javascript,${encodeURIComponent(TELLING)}`, ...COMPILED_WORKER],
      env: { HEADRACE_TOLD: told },
    });
    try {
      await createConnector(worker.url, group, { "connector.class": "FileStreamSource", file: input, topic: group });
      await waitForTasks(worker.url, 1, 60_000);
    } finally {
      await worker.process.stop(60_000);
    }
    const processes = readFileSync(told, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as readonly string[]);
    const scripts = new Set(processes.map(([script]) => script));
    const compiled = (script: string) => join(repoRoot, "runtime/dist", script);
    assert.deepEqual([...scripts].toSorted(), [compiled("executor/main.js"), compiled("main.js")]);
    // Without that condition packages are found by their default exports, which are compiled.
    assert.doesNotMatch(processes.flat().join(" "), /conditions/);
  });
});
