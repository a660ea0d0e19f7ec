import { z } from "zod";
import { FIGURES, type Figure } from "./figure.ts";
import { type Spread, spreadOf } from "./statistics.ts";

const FIGURE_NAMES = Object.keys(FIGURES) as readonly Figure[];
const Measured = z.partialRecord(z.enum(FIGURE_NAMES as readonly [Figure, ...Figure[]]), z.number());

/** Of one scenario: what each side measured, run by run. */
export const Result = z.object({
  scenario: z.string(),
  /** ISO 8601, of the last run. */
  at: z.string(),
  runs: z.array(z.object({ side: z.enum(["headrace", "jvm", "jvm-tuned", "client"]), measured: Measured })),
});
export type Result = z.output<typeof Result>;

/** A figure of a scenario, Headrace's beside a peer's; `theirs` and `ratio` are null where nobody is compared with. */
export interface Comparison {
  readonly scenario: string;
  readonly figure: Figure;
  readonly peer: "jvm" | "jvm-tuned" | "client" | null;
  readonly ours: Spread;
  readonly theirs: Spread | null;
  /** Ours divided by theirs, of the medians. */
  readonly ratio: number | null;
}

/** Each of Headrace's figures against each peer that has it, or by itself if none has. */
export function compare({ scenario, runs }: Pick<Result, "scenario" | "runs">): readonly Comparison[] {
  const spread = (side: string, figure: Figure): Spread | null => {
    const values = runs.flatMap((run) => (run.side === side ? (run.measured[figure] ?? []) : []));
    return values.length === 0 ? null : spreadOf(values);
  };
  return FIGURE_NAMES.flatMap((figure): Comparison[] => {
    const ours = spread("headrace", figure);
    if (ours === null) return [];
    const compared = (["jvm", "jvm-tuned", "client"] as const).flatMap((peer): Comparison[] => {
      const theirs = spread(peer, figure);
      return theirs === null
        ? []
        : [{ scenario, figure, peer, ours, theirs, ratio: theirs.median === 0 ? null : ours.median / theirs.median }];
    });
    return compared.length > 0 ? compared : [{ scenario, figure, peer: null, ours, theirs: null, ratio: null }];
  });
}
