import { appendFileSync, readFileSync } from "node:fs";

const INTERVAL_MS = 50;

/** A file that grows by numbered lines, 0 first. */
export interface GrowingFile {
  readonly file: string;
  /** Ends the growth; returns how many lines there are. */
  stop(): number;
}

/** Creates the file and lets it grow. */
export function growFile(file: string, linesPerSecond: number): GrowingFile {
  const batch = Math.ceil((linesPerSecond * INTERVAL_MS) / 1000);
  let count = 0;
  appendFileSync(file, "");
  const timer = setInterval(() => {
    let lines = "";
    for (let each = 0; each < batch; each += 1, count += 1) lines += `${count}\n`;
    appendFileSync(file, lines);
  }, INTERVAL_MS);
  return {
    file,
    stop() {
      clearInterval(timer);
      return count;
    },
  };
}

/** The numbers in a file that somebody may still be writing. */
export function numbersIn(file: string): number[] {
  return readFileSync(file, "utf8").split("\n").slice(0, -1).map(Number);
}

/** What has become of numbers that were sent in order, from 0 on. */
export interface Passage {
  /** Distinct ones. */
  readonly arrived: number;
  /** Where it went back, to repeat: once for each instance that began from an older offset. */
  readonly repeats: readonly string[];
  /** Where it went on elsewhere than at the next number: lost records, or two instances at once. */
  readonly jumps: readonly string[];
  /** Where it went on, behind a repeat, at the number that was next before that: a write of an instance that another one had followed. */
  readonly returns: readonly string[];
}

/** Follows numbers through. */
export function follow(numbers: readonly number[]): Passage {
  const repeats: string[] = [];
  const jumps: string[] = [];
  const returns: string[] = [];
  let before = -1;
  let greatest = -1;
  for (const number of numbers) {
    const step = `${before} → ${number}`;
    if (number <= before) repeats.push(step);
    else if (number > before + 1) (number === greatest + 1 ? returns : jumps).push(step);
    before = number;
    greatest = Math.max(greatest, number);
  }
  return { arrived: new Set(numbers).size, repeats, jumps, returns };
}
