import { globSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import type { TestEvent } from "node:test/reporters";
import { parseArgs } from "node:util";
import { cacheDir, repoRoot } from "./cache.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { type LocalKafka, startKafka } from "./kafka.ts";
import { step } from "./progress.ts";
import { allPassed, report, type Totals } from "./test-reporter.ts";

/**
 * `npm test`: all tests, or those whose path contains one of the given words. Starts one Kafka and one Kubernetes API for the files that
 * share them (`HEADRACE_KAFKA_BOOTSTRAP`, `HEADRACE_KUBECONFIG`), runs node:test and ends with its closing lines.
 * Fails if either cannot be started, or if no test was found.
 */
const HELP = `usage: npm test [-- [--unit] [--group GROUP] [WORD…]]
  WORD           run only test files whose path contains it, whatever their group
  --group GROUP  test (default), interop (needs JVM workers) or chaos
  --unit         leave out *.integration.test.ts: no Kafka, no Kubernetes`;

/** Files at a time: integration tests wait more than they compute. */
const CONCURRENCY = availableParallelism() + 1;
/** Of a file, and of a test that sets no other. */
const TIMEOUT_MS = 300_000;

/** Files that measure how long things take, or need the machine for themselves. */
const ALONE: ReadonlySet<string> = new Set([
  "test/integration/failover.integration.test.ts",
  "test/chaos/frozen-worker.integration.test.ts",
  "test/chaos/random.integration.test.ts",
]);

/** Files that take longest: started first, so that they do not run last and alone. */
const LONG: readonly string[] = [
  "test/dev/demo/demo.integration.test.ts",
  "test/native/broker-away.integration.test.ts",
  "test/dev/agent/pods.integration.test.ts",
  "test/runtime/group/member.integration.test.ts",
];

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
  const all = globSync("test/**/*.test.ts", { cwd: repoRoot }).sort(longestFirst);
  const wanted = all
    .filter((file) =>
      positionals.length === 0 ? groupOf(file) === values.group : positionals.some((word) => file.includes(word)),
    )
    .filter((file) => values.unit !== true || !isIntegration(file));
  if (wanted.length === 0) {
    console.error(`no test file matches ${positionals.length === 0 ? `group ${values.group}` : positionals.join(" ")}`);
    return 1;
  }
  const needsServers = wanted.some(isIntegration);
  const dir = mkdtempSync(join(tmpdir(), "headrace-test-"));
  let kafka: LocalKafka | undefined;
  let controlPlane: ControlPlane | undefined;
  try {
    // Workers, executors and operators are started often: what Node has compiled once is not compiled again.
    const env: Record<string, string> = { NODE_COMPILE_CACHE: join(cacheDir(), "node-compile") };
    if (needsServers) {
      await step("start Kafka and the Kubernetes API for the tests", async () => {
        const starting = [
          startKafka({ dir: join(dir, "kafka") }),
          startControlPlane({ dir: join(dir, "kubernetes") }),
        ] as const;
        await Promise.allSettled(starting);
        kafka = await starting[0];
        controlPlane = await starting[1];
        env["HEADRACE_KAFKA_BOOTSTRAP"] = kafka.bootstrap;
        env["HEADRACE_KUBECONFIG"] = controlPlane.adminKubeconfig;
      });
    }
    return await runNodeTest(wanted, env);
  } finally {
    await kafka?.kill();
    await controlPlane?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

const isIntegration = (file: string) => file.endsWith(".integration.test.ts");

/** Files under test/interop and test/chaos are groups of their own. */
function groupOf(file: string): string {
  const [, folder] = file.split("/");
  return folder === "interop" || folder === "chaos" ? folder : "test";
}

/** Long ones first, then integration tests, so that the last file to run is a short one. */
function longestFirst(left: string, right: string): number {
  return rank(left) - rank(right) || left.localeCompare(right);
}

function rank(file: string): number {
  const long = LONG.indexOf(file);
  if (long >= 0) return long;
  return isIntegration(file) ? LONG.length : LONG.length + 1;
}

/** First the files that share the machine, then those that measure, one by one. */
async function runNodeTest(files: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  Object.assign(process.env, env);
  const totals: Totals = new Map();
  const shared = files.filter((file) => !ALONE.has(file));
  const alone = files.filter((file) => ALONE.has(file));
  async function* events() {
    if (shared.length > 0) yield* start(shared, CONCURRENCY);
    // Such a file ends with its tests: what a failed one left open must not hold up the run.
    if (alone.length > 0) yield* start(alone, 1, ["--test-force-exit"]);
  }
  const silent = new Set(files);
  for await (const text of report(noting(events(), silent), totals)) process.stdout.write(text);
  for (const file of silent) process.stderr.write(`✗ ${file} ended without a report\n`);
  return allPassed(totals) && silent.size === 0 ? 0 : 1;
}

/** Passes events on, and takes out of `silent` each file that has reported how it went. */
async function* noting(events: AsyncIterable<TestEvent>, silent: Set<string>): AsyncGenerator<TestEvent> {
  for await (const event of events) {
    if (event.type === "test:summary" && event.data.file !== undefined)
      silent.delete(relative(repoRoot, event.data.file));
    yield event;
  }
}

function start(files: readonly string[], concurrency: number, flags: readonly string[] = []): AsyncIterable<TestEvent> {
  return run({
    files: files.map((file) => join(repoRoot, file)),
    concurrency,
    timeout: TIMEOUT_MS,
    cwd: repoRoot,
    execArgv: ["--conditions=source", ...flags],
  });
}

process.exitCode = await main();
