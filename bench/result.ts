import type { Measurement } from "./scenario.ts";
import type { SideName } from "./side.ts";
import { type Spread, spreadOf } from "./statistics.ts";

/** Of one scenario: what each side measured, run by run. */
export interface Result {
  readonly scenario: string;
  readonly runs: readonly { readonly side: SideName; readonly measured: Measurement }[];
}

/** A figure of a scenario, Headrace's beside a peer's. */
export interface Comparison {
  readonly scenario: string;
  readonly figure: keyof Measurement;
  readonly peer: SideName;
  readonly ours: Spread;
  readonly theirs: Spread;
  /** Ours divided by theirs, of the medians. */
  readonly ratio: number;
}

const FIGURES = ["recordsPerSecond", "cpuMicrosPerRecord", "peakBytes", "elapsedMs"] as const;

/** Each figure that both sides have, against each peer. */
export function compare({ scenario, runs }: Result): readonly Comparison[] {
  const valuesOf = (side: SideName, figure: keyof Measurement) =>
    runs.flatMap((run) => (run.side === side ? (run.measured[figure] ?? []) : []));
  const peers = [...new Set(runs.map(({ side }) => side))].filter((side) => side !== "headrace");
  return peers.flatMap((peer) =>
    FIGURES.flatMap((figure) => {
      const [mine, other] = [valuesOf("headrace", figure), valuesOf(peer, figure)];
      if (mine.length === 0 || other.length === 0) return [];
      const [ours, theirs] = [spreadOf(mine), spreadOf(other)];
      return [{ scenario, figure, peer, ours, theirs, ratio: ours.median / theirs.median }];
    }),
  );
}
