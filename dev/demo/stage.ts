import { abandon, down, type Stack, up } from "../stack.ts";
import { type CheckList, createCheckList } from "./check-list.ts";

/** A show that runs on the local stack and notes what it checks; throws if it cannot go on. */
export type Show = (stack: Stack, checks: CheckList, say: (line?: string) => void) => Promise<void>;

/**
 * Brings the local stack up afresh, runs the show on it and tells what held, then what `farewell` says of the stack. The stack is stopped unless it
 * is to be kept. Resolves with the exit code: 1 if anything did not hold.
 */
export async function perform(
  show: Show,
  { keep, farewell }: { readonly keep: boolean; readonly farewell: (stack: Stack) => string },
): Promise<number> {
  hideTimeoutWarnings();
  const say = (line = "") => console.log(line);
  const checks = createCheckList(say);
  const startedAt = performance.now();
  await down();
  const stack = await up();
  try {
    await show(stack, checks, say);
  } catch (error) {
    checks.note("the show came to its end", false, error instanceof Error ? error.message : String(error));
  } finally {
    if (!keep) await down();
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  say(`\nWhat was checked (${seconds} s in all):\n${checks.summary()}`);
  say(`\n${farewell(stack)}`);
  return checks.allHeld() ? 0 : 1;
}

/** From now on Ctrl-C and SIGTERM end this process and the stack at once, also one that is coming up. */
export function endOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void abandon().finally(() => process.exit(1));
    });
  }
}

function hideTimeoutWarnings(): void {
  // kafkajs's request queue: harmless on Node 24, and Node's default listener would print it in the middle of the show.
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name !== "TimeoutNegativeWarning") process.stderr.write(`${warning.name}: ${warning.message}\n`);
  });
}
