import type { Step } from "./workload.ts";

/** What a target was told, beside what has happened. All but `steps` and `repeated` have to be 0. */
export interface Account {
  /** Things that have happened and were told. */
  readonly steps: number;
  /** That were told again, behind a later one or not: what at-least-once delivery allows. */
  readonly repeated: number;
  /** That were never told. */
  readonly missing: number;
  /** That were told for the first time when a later one had been told before. */
  readonly disordered: number;
  /** That have not happened. */
  readonly invented: number;
  /** Items whose last word is not the last thing that has happened to them. */
  readonly stale: number;
}

/** Compares what has happened to each item, in order, with what a target was told of it, in the order in which it was told. */
export function account(
  happened: ReadonlyMap<number, readonly Step[]>,
  told: ReadonlyMap<number, readonly Step[]>,
): Account {
  const sum = { steps: 0, repeated: 0, missing: 0, disordered: 0, invented: 0, stale: 0 };
  for (const [id, steps] of told) if (!happened.has(id)) sum.invented += steps.length;
  for (const [id, expected] of happened) {
    const known = new Set(expected);
    const seen = new Set<Step>();
    let latest = -1;
    for (const step of told.get(id) ?? []) {
      if (!known.has(step)) {
        sum.invented += 1;
        continue;
      }
      if (seen.has(step)) sum.repeated += 1;
      else if (step < latest) sum.disordered += 1;
      seen.add(step);
      latest = Math.max(latest, step);
    }
    const found = expected.filter((step) => seen.has(step)).length;
    sum.steps += found;
    sum.missing += expected.length - found;
    if (told.get(id)?.at(-1) !== expected.at(-1)) sum.stale += 1;
  }
  return sum;
}

/** Whether nothing is missing and nothing is wrong. */
export const isComplete = ({ missing, disordered, invented, stale }: Account): boolean =>
  missing + disordered + invented + stale === 0;

/** One line for people. */
export function describeAccount({ steps, repeated, missing, disordered, invented, stale }: Account): string {
  const wrong = Object.entries({ missing, "out of order": disordered, "that never happened": invented, stale })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`);
  return [`${steps} changes`, `${repeated} told again`, ...wrong].join(", ");
}
