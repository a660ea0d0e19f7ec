import { setTimeout as sleep } from "node:timers/promises";
import type { Measurement } from "./scenario.ts";
import { watchUsage } from "./usage.ts";

/** Seldom enough that looking takes nothing from what is measured: on two cores a look each 20 ms took a tenth of one. */
const POLL_MS = 50;
/** Between one progress and the next: far more than anything takes, so that a machine that stands still for a while fails nothing. */
const STALL_MS = 180_000;

/**
 * Watches a worker's progress from the first record to the last and says how fast it was and what it used meanwhile. `progress` answers how
 * many records are done. The rate counts from the first progress that was seen, so that starting a connector is not part of it. Throws if
 * nothing moves for three minutes. Too few records to see on their way have no rate.
 */
export async function measureRate(options: {
  readonly pid: number;
  readonly total: number;
  readonly progress: () => Promise<number> | number;
}): Promise<Measurement> {
  const { pid, total, progress } = options;
  let stalledSince = performance.now();
  let first: { readonly atMs: number; readonly done: number } | null = null;
  let usage = watchUsage(pid);
  for (let last = 0; ; ) {
    const done = await progress();
    const atMs = performance.now();
    if (done > 0 && first === null) {
      usage.stop();
      usage = watchUsage(pid);
      first = { atMs, done };
    }
    if (done >= total && first !== null) {
      const { cpuSeconds, peakBytes } = usage.stop();
      const records = done - first.done;
      if (records === 0) return { peakBytes }; // All came between two looks.
      const seconds = (atMs - first.atMs) / 1000;
      return { recordsPerSecond: records / seconds, cpuMicrosPerRecord: (cpuSeconds * 1e6) / records, peakBytes };
    }
    if (done > last) stalledSince = atMs;
    last = done;
    if (atMs - stalledSince > STALL_MS) throw new Error(`no progress for three minutes: ${done} of ${total} records`);
    await sleep(POLL_MS);
  }
}
