import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { WORKER_BUNDLE } from "#dev/worker-bundle.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, startWorker } from "#support/worker.ts";
import { COMPILED_WORKER, compileWorker } from "../../bench/compiled.ts";
import { createConnector, waitForTasks } from "../../bench/connect.ts";

/** Lets each process tell its script and Node's options: worker and executors have the same imports. */
const TELLING = `import { appendFileSync } from "node:fs";
appendFileSync(process.env.HEADRACE_TOLD, JSON.stringify([process.argv[1], ...process.execArgv]) + "\\n");`;

/** A plugin whose text an executor recognises only if both have one SDK. */
const PLUGIN = `import { defineSource, STRING_SCHEMA, Utf8Text } from "@headrace/sdk";
import { z } from "zod";
export default defineSource({
  name: "one-line",
  config: z.object({ topic: z.string() }),
  planTasks: () => [{}],
  async openTask({ topic }) {
    let polls = 0;
    const value = new Utf8Text(STRING_SCHEMA, Buffer.from("of a plugin"), 0, 11);
    return {
      poll: async (signal) => {
        if (polls++ > 0) await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return polls > 1 ? [] : [{ topic, value, sourcePartition: {}, sourceOffset: { polls } }];
      },
      close: async () => {},
    };
  },
});`;

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
    const { main, executor } = WORKER_BUNDLE;
    assert.deepEqual([...scripts].toSorted(), [join(repoRoot, executor), join(repoRoot, main)]);
    // Without that condition packages are found by their default exports, which are compiled.
    assert.doesNotMatch(processes.flat().join(" "), /conditions/);
  });

  it("shares the SDK and zod with the plugins that it loads", async () => {
    const group = uniqueName("plugins");
    const plugins = join(dir, "plugins");
    const output = join(dir, "out.txt");
    mkdirSync(join(plugins, "one-line"), { recursive: true });
    const manifest = { name: "one-line", version: "1.0.0", type: "module", main: "main.js" };
    writeFileSync(join(plugins, "one-line/package.json"), JSON.stringify(manifest));
    writeFileSync(join(plugins, "one-line/main.js"), PLUGIN);
    const worker = await startWorker({
      dir,
      properties: { ...groupProperties(kafka.bootstrap, group), "plugin.path": plugins },
      program: COMPILED_WORKER,
    });
    try {
      await createConnector(worker.url, `${group}-in`, { "connector.class": "one-line", topic: group });
      await createConnector(worker.url, `${group}-out`, {
        "connector.class": "FileStreamSink",
        topics: group,
        file: output,
      });
      await eventually("the plugin's line", () => existsSync(output) && readFileSync(output, "utf8") !== "");
      assert.equal(readFileSync(output, "utf8"), "of a plugin\n");
    } finally {
      await worker.process.stop(60_000);
    }
  });
});
