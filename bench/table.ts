import { FIGURES, formatFigure } from "./figure.ts";
import type { Comparison } from "./result.ts";
import type { Spread } from "./statistics.ts";
import { goalOf, meets, TARGETS, targetOf } from "./target.ts";

/** The comparisons as a Markdown table: medians with the least and greatest, the ratio, and the target with its verdict. */
export function toTable(comparisons: readonly Comparison[]): string {
  const head = "| scenario | figure | Headrace | peer | | ratio | target | |\n|---|---|---|---|---|---|---|---|\n";
  return head + comparisons.map(toRow).join("");
}

/** Every target as a row, measured or not. */
export function toTargetTable(comparisons: readonly Comparison[]): string {
  const head =
    "| work | figure | peer | goal | Headrace | peer's | ratio | verdict |\n|---|---|---|---|---|---|---|---|\n";
  const rows = TARGETS.map((target) => {
    const found = comparisons.find((comparison) => targetOf(comparison) === target);
    const cells = [target.work, FIGURES[target.figure].title, target.peer ?? "", goalOf(target)];
    if (found === undefined) return toLine([...cells, "", "", "", "not measured"]);
    const { figure, ours, theirs, ratio } = found;
    const values = [formatFigure(figure, ours.median), theirs === null ? "" : formatFigure(figure, theirs.median)];
    return toLine([...cells, ...values, ratio?.toFixed(2) ?? "", meets(found, target) ? "met" : "**missed**"]);
  });
  return head + rows.join("");
}

function toRow(comparison: Comparison): string {
  const { scenario, figure, peer, ours, theirs, ratio } = comparison;
  const spread = ({ median, min, max }: Spread) =>
    `${formatFigure(figure, median)} (${formatFigure(figure, min)}–${formatFigure(figure, max)})`;
  const target = targetOf(comparison);
  const goal = target === undefined ? "" : goalOf(target);
  const verdict = target === undefined ? "" : meets(comparison, target) ? "met" : "missed";
  const against = [theirs === null ? "" : spread(theirs), peer ?? "", ratio?.toFixed(2) ?? ""];
  return toLine([scenario, FIGURES[figure].title, spread(ours), ...against, goal, verdict]);
}

function toLine(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |\n`;
}
