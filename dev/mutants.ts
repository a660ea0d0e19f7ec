import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repoRoot } from "./cache.ts";
import { copyTree } from "./mutants/copy.ts";
import { type Mutant, mutate } from "./mutants/mutant.ts";
import { runTests } from "./mutants/run-tests.ts";
import { MUTANTS } from "./mutants/table.ts";

/**
 * `npm run mutants`: takes the guards of the invariants out, one at a time and each in a copy of the working tree, and runs the tests that
 * name it. Fails if the tests are not green to begin with, if a mutant survives, or if its text is not there exactly once.
 */
const HELP = `usage: npm run mutants [-- [--kafka] [WORD…]]
  WORD     only mutants whose file or guard contains it, or of an invariant, as a number
  --kafka  those too whose tests are *.integration.test.ts (each such run starts its own servers)`;

type Outcome = { readonly kind: "caught"; readonly by: string } | { readonly kind: "survived" | "unclear" };

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { kafka: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const wanted = MUTANTS.filter((mutant) => matches(mutant, positionals)).filter(
    ({ tests }) => values.kafka === true || !tests.some((file) => file.endsWith(".integration.test.ts")),
  );
  if (wanted.length === 0) {
    console.error(`no mutant matches ${positionals.join(" ")}`);
    return 1;
  }
  for (const mutant of wanted) mutate(mutant, repoRoot);
  const dir = mkdtempSync(join(tmpdir(), "headrace-mutants-"));
  try {
    const copies = Array.from({ length: availableParallelism() }, (_, index) => join(dir, `copy-${index}`));
    for (const copy of copies) copyTree(repoRoot, copy);
    return (await isGreen(join(dir, "copy-0"), wanted)) ? await hunt(wanted, copies) : 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function matches({ invariant, file, guard }: Mutant, words: readonly string[]): boolean {
  return words.length === 0 || words.some((word) => word === String(invariant) || `${file} ${guard}`.includes(word));
}

/** A test that fails anyway catches nothing. */
async function isGreen(copy: string, mutants: readonly Mutant[]): Promise<boolean> {
  const files = [...new Set(mutants.flatMap(({ tests }) => tests))];
  const run = await runTests(copy, files);
  if (!run.green) console.error(`${run.output}\nthe tests are not green without any mutant: ${run.failed.join("; ")}`);
  return run.green;
}

async function hunt(mutants: readonly Mutant[], copies: readonly string[]): Promise<number> {
  const left = [...mutants];
  let alive = 0;
  await Promise.all(
    copies.map(async (copy) => {
      for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
        const started = performance.now();
        const outcome = await kill(mutant, copy);
        if (outcome.kind !== "caught") alive += 1;
        console.log(describe(mutant, outcome, (performance.now() - started) / 1000));
      }
    }),
  );
  console.log(`${mutants.length - alive} of ${mutants.length} mutants caught`);
  return alive === 0 ? 0 : 1;
}

async function kill(mutant: Mutant, copy: string): Promise<Outcome> {
  const path = join(copy, mutant.file);
  const original = readFileSync(path, "utf8");
  writeFileSync(path, mutate(mutant, copy));
  try {
    const run = await runTests(copy, mutant.tests);
    if (run.green) return { kind: "survived" };
    const [by] = run.failed;
    return by === undefined ? { kind: "unclear" } : { kind: "caught", by };
  } finally {
    writeFileSync(path, original);
  }
}

function describe({ invariant, file, guard }: Mutant, outcome: Outcome, seconds: number): string {
  const head = `invariant ${invariant} | ${seconds.toFixed(1)} s | ${file}: ${guard}`;
  switch (outcome.kind) {
    case "caught":
      return `✓ caught | ${head} | by "${outcome.by}"`;
    case "survived":
      return `✗ SURVIVED | ${head} | write the test that fails without this guard`;
    case "unclear":
      return `✗ UNCLEAR | ${head} | the run failed or was ended without a test that failed`;
    default:
      throw new Error(`unreachable: ${outcome satisfies never}`);
  }
}

process.exitCode = await main();
