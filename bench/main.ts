import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repoRoot } from "#dev/cache.ts";
import { startKafka } from "#dev/kafka.ts";
import { exitOnSignals } from "#dev/process.ts";
import { step } from "#dev/progress.ts";
import { type Comparison, compare, type Result } from "./result.ts";
import type { Bench } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import { toTable } from "./table.ts";
import { openTopics } from "./topic.ts";

/**
 * `make bench`: the same work on Headrace's worker and on Apache Kafka Connect's, in turn, on one Kafka. Prints a table of medians and
 * ratios and writes them to .headrace/bench.json. Exits 1 if a side does not do its work, or writes other records than it should.
 */
const HELP = `usage: make bench [FULL=1] [RUNS=n] [FILTER=words]
  FULL=1   all scenarios, not only the quick ones
  RUNS=n   runs of each side, 3 by default
  FILTER   only scenarios whose name contains one of the words`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      full: { type: "boolean", default: false },
      runs: { type: "string", default: "3" },
      help: { type: "boolean", short: "h" },
    },
  });
  const runs = Number(values.runs);
  if (values.help === true || !(runs >= 1)) {
    console.log(HELP);
    return values.help === true ? 0 : 1;
  }
  const wanted = SCENARIOS.filter(({ name, quick }) =>
    positionals.length === 0 ? values.full || quick : positionals.some((word) => name.includes(word)),
  );
  if (wanted.length === 0) {
    console.error(`no scenario matches: there are ${SCENARIOS.map(({ name }) => name).join(", ")}`);
    return 1;
  }
  const dir = mkdtempSync(join(tmpdir(), "headrace-bench-"));
  const kafka = await startKafka({ dir: join(dir, "kafka"), heap: "2g", quickStart: false });
  const topics = await openTopics(kafka.bootstrap);
  let names = 0;
  const bench: Bench = {
    bootstrap: kafka.bootstrap,
    dir,
    topics,
    name(prefix) {
      names += 1;
      return `${prefix}-${names}`;
    },
  };
  const results: Result[] = [];
  try {
    for (const scenario of wanted) {
      const run = await step(`${scenario.name}: prepare`, () => scenario.prepare(bench));
      const done: Result["runs"][number][] = [];
      for (let round = 1; round <= runs; round += 1) {
        for (const side of scenario.sides) {
          const title = `${scenario.name}: ${side}, run ${round} of ${runs}`;
          done.push({ side, measured: await step(title, () => run(side)) });
        }
      }
      results.push({ scenario: scenario.name, runs: done });
      console.log(toTable(compare({ scenario: scenario.name, runs: done })));
    }
  } finally {
    await topics.close();
    await kafka.kill();
    rmSync(dir, { recursive: true, force: true });
  }
  const comparisons: readonly Comparison[] = results.flatMap(compare);
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  mkdirSync(join(repoRoot, ".headrace"), { recursive: true });
  const file = join(repoRoot, ".headrace/bench.json");
  writeFileSync(file, JSON.stringify({ machine, results, comparisons }, null, 1));
  console.log(`\n${machine}\n\n${toTable(comparisons)}\nwritten to ${file}`);
  return 0;
}

exitOnSignals();
process.exitCode = await main();
