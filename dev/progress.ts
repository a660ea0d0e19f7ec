import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "./cache.ts";

/** How often a step that is still running says so. */
const REMINDER_MS = 20_000;

/** Where the durations of earlier runs are kept, so that a step can tell how long it will take. */
const durationsFile = () => join(cacheDir(), "durations.json");

function readDurations(): Record<string, number> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(durationsFile(), "utf8"));
    const entries = Object.entries(parsed ?? {}).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number",
    );
    return Object.fromEntries(entries);
  } catch {
    return {}; // Nothing measured yet, or an unreadable file: an estimate is only a courtesy.
  }
}

function writeDuration(title: string, seconds: number): void {
  mkdirSync(cacheDir(), { recursive: true });
  const file = `${durationsFile()}.${process.pid}`;
  writeFileSync(file, JSON.stringify({ ...readDurations(), [title]: seconds }, null, 1));
  renameSync(file, durationsFile());
}

const inSeconds = (ms: number) => `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;

/**
 * Runs one slow step and shows it on standard error: its title, how long it took last time, a reminder every
 * {@link REMINDER_MS} while it runs, and how it ended. Rethrows what `work` throws.
 */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const last = readDurations()[title];
  const started = performance.now();
  process.stderr.write(`▸ ${title}${last !== undefined && last >= 2 ? ` (last time ${last.toFixed(0)} s)` : ""}\n`);
  const reminder = setInterval(() => {
    process.stderr.write(`  … ${title}: ${inSeconds(performance.now() - started)} so far\n`);
  }, REMINDER_MS);
  try {
    const result = await work();
    const elapsed = performance.now() - started;
    writeDuration(title, elapsed / 1000);
    process.stderr.write(`✓ ${title}: ${inSeconds(elapsed)}\n`);
    return result;
  } catch (error) {
    process.stderr.write(`✗ ${title}: failed after ${inSeconds(performance.now() - started)}\n`);
    throw error;
  } finally {
    clearInterval(reminder);
  }
}
