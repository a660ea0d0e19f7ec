import { parseArgs } from "node:util";
import { howToUse } from "../stack/how-to-use.ts";
import { down, up } from "../stack.ts";
import { createCheckList } from "./check-list.ts";
import { show } from "./show.ts";

/** `make demo`: brings the local stack up, runs the show on it, stops the stack unless it is to be kept. Exit code 1 if anything did not hold. */
const HELP = `usage: make demo [KEEP=1]

  KEEP=1  leave everything running at the end and tell how to use it`;

const say = (line = "") => console.log(line);

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { keep: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
  if (values.help === true) {
    say(HELP);
    return 0;
  }
  const keep = values.keep === true;
  const checks = createCheckList(say);
  const startedAt = performance.now();
  await down();
  const stack = await up();
  try {
    await show(stack, checks, say);
  } catch (error) {
    checks.note("the demo came to its end", false, error instanceof Error ? error.message : String(error));
  } finally {
    if (!keep) await down();
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  say(`\nWhat was checked (${seconds} s in all):\n${checks.summary()}`);
  if (keep)
    say(
      `\nEverything is still running. Stop it with: npm run dev -- down\n${howToUse(stack)}\n  kubectl -n demo get kc,kctr,pods`,
    );
  else say(`\nLogs are in ${stack.dir}. \`make demo KEEP=1\` leaves everything running.`);
  return checks.allHeld() ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void down().finally(() => process.exit(1));
  });
}

// kafkajs's request queue, in the monitor: harmless on Node 24, and Node's default listener would print it in the middle of the show.
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  if (warning.name !== "TimeoutNegativeWarning") process.stderr.write(`${warning.name}: ${warning.message}\n`);
});

process.exit(await main());
