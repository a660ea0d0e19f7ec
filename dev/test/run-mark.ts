import { randomUUID } from "node:crypto";
import { killMarkedNow } from "../process-table.ts";

/** Of the environment of everything that a run of tests starts, containers of local nodes included. */
export const RUN_MARK = "HEADRACE_TEST_RUN";

/**
 * Marks what this process starts from now on, and kills what is left of it when this process exits: with `exitOnSignals` (`dev/process.ts`) a run
 * that is interrupted leaves nothing running, whoever started it.
 */
export function markRun(): void {
  const id = randomUUID();
  process.env[RUN_MARK] = id;
  process.once("exit", () => killMarkedNow(RUN_MARK, (value) => value === id));
}
