import { parseArgs } from "node:util";
import { howToUse } from "../stack/how-to-use.ts";
import type { Stack } from "../stack.ts";
import { show } from "./show.ts";
import { endOnSignals, perform } from "./stage.ts";

/** `make demo`: brings the local stack up, runs the show on it, stops the stack unless it is to be kept. Exit code 1 if anything did not hold. */
const HELP = `usage: make demo [KEEP=1]

  KEEP=1  leave everything running at the end and tell how to use it`;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { keep: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const keep = values.keep === true;
  const kept = (stack: Stack) =>
    `Everything is still running. Stop it with: npm run dev -- down\n${howToUse(stack)}\n  kubectl -n demo get kc,kctr,pods`;
  const stopped = ({ dir }: Stack) => `Logs are in ${dir}. \`make demo KEEP=1\` leaves everything running.`;
  return await perform(show, { keep, farewell: keep ? kept : stopped });
}

endOnSignals();
process.exit(await main());
