import type { Bench } from "../scenario.ts";

/** How many records a scenario moves: as many as its figures stand for, or fewer in a trial. */
export function scaled(bench: Pick<Bench, "scale">, count: number): number {
  return Math.max(200, Math.round(count * bench.scale));
}
