import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheDir, repoRoot } from "./cache.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { type LocalKafka, startKafka } from "./kafka.ts";
import { exitOnSignals } from "./process.ts";
import { step } from "./progress.ts";
import { choose, GROUPS, isIntegration, runsAlone } from "./test/choice.ts";
import { runTestFile } from "./test/file.ts";
import { createReport, type Report } from "./test/report.ts";
import { markRun } from "./test/run-mark.ts";

/**
 * `npm test`: all tests, or those whose path contains one of the given words. Starts one Kafka and one Kubernetes API for the files that
 * share them (`HEADRACE_KAFKA_BOOTSTRAP`, `HEADRACE_KUBECONFIG`), runs each file in a process of its own and ends with node:test's
 * closing lines. Fails if either cannot be started, if no test was found, and if a file does not end or leaves processes behind. Ctrl-C and
 * SIGTERM end everything that it has started.
 */
const HELP = `usage: npm test [-- [--unit] [--group GROUP] [WORD…]]
  WORD           run only test files whose path contains it, whatever their group
  --group GROUP  ${GROUPS.join(", ")}; default: test
  --unit         leave out *.integration.test.ts: no Kafka, no Kubernetes`;

/** Files at a time: integration tests wait more than they compute. */
const CONCURRENCY = availableParallelism() + 1;
/** Of a file of the group `test`, and of one of the others: several times what the slowest takes on two processors. */
const TIMEOUT_MS = 600_000;
const LONG_TIMEOUT_MS = 1_200_000;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      unit: { type: "boolean" },
      group: { type: "string", default: "test" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const group = GROUPS.find((name) => name === values.group);
  if (group === undefined) {
    console.error(`no group ${values.group}: there are ${GROUPS.join(", ")}`);
    return 1;
  }
  const all = globSync("test/**/*.test.ts", { cwd: repoRoot });
  const wanted = choose(all, { group, words: positionals, unitOnly: values.unit === true });
  if (wanted.length === 0) {
    console.error(`no test file matches ${positionals.length === 0 ? `group ${group}` : positionals.join(" ")}`);
    return 1;
  }
  markRun();
  const dir = mkdtempSync(join(tmpdir(), "headrace-test-"));
  const removeDir = () => rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  process.once("exit", removeDir);
  let kafka: LocalKafka | undefined;
  let controlPlane: ControlPlane | undefined;
  try {
    // Workers, executors and operators are started often: what Node has compiled once is not compiled again.
    process.env["NODE_COMPILE_CACHE"] = join(cacheDir(), "node-compile");
    if (wanted.some(isIntegration)) {
      await step("start Kafka and the Kubernetes API for the tests", async () => {
        const starting = [
          startKafka({ dir: join(dir, "kafka") }),
          startControlPlane({ dir: join(dir, "kubernetes") }),
        ] as const;
        await Promise.allSettled(starting);
        kafka = await starting[0];
        controlPlane = await starting[1];
        process.env["HEADRACE_KAFKA_BOOTSTRAP"] = kafka.bootstrap;
        process.env["HEADRACE_KUBECONFIG"] = controlPlane.adminKubeconfig;
      });
    }
    const started = performance.now();
    const report = createReport((text) => process.stdout.write(text));
    // First the files that share the machine, then those that measure, one by one.
    const shared = wanted.filter((file) => !runsAlone(file));
    await runFiles(shared, {
      report,
      concurrency: CONCURRENCY,
      timeoutMs: group === "test" ? TIMEOUT_MS : LONG_TIMEOUT_MS,
    });
    const alone = wanted.filter(runsAlone);
    await runFiles(alone, { report, concurrency: 1, timeoutMs: LONG_TIMEOUT_MS });
    if (group === "scale") keepTable(report);
    return report.close(performance.now() - started) ? 0 : 1;
  } finally {
    await kafka?.kill();
    await controlPlane?.stop();
    removeDir();
  }
}

/** For docs/benchmarks.md. */
function keepTable(report: Report): void {
  mkdirSync(join(repoRoot, ".headrace"), { recursive: true });
  writeFileSync(join(repoRoot, ".headrace/scale.json"), `${JSON.stringify(report.table(), null, 1)}\n`);
}

async function runFiles(
  files: readonly string[],
  options: { readonly report: Report; readonly concurrency: number; readonly timeoutMs: number },
): Promise<void> {
  const { report, concurrency, timeoutMs } = options;
  const waiting = [...files];
  async function work(): Promise<void> {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      report.ended(await runTestFile(file, { timeoutMs, sink: report.sinkOf(file) }));
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work));
}

exitOnSignals();
process.exitCode = await main();
