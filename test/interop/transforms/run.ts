import type { PluginDefinition } from "#runtime/plugins/registry.ts";
import type { Case } from "./cases.ts";
import { type Difference, differences } from "./compare.ts";
import { runJava } from "./java.ts";
import { runOurs } from "./ours.ts";

/** How a run went: `unexpected` are the differences that nobody meant. */
export interface Comparison {
  readonly cases: number;
  readonly inputs: number;
  readonly unexpected: readonly Difference[];
  /** How many differences each reason explains. */
  readonly intended: ReadonlyMap<string, number>;
}

/** Classes that are neither Apache's nor built in. */
export interface MoreClasses {
  readonly jars: readonly string[];
  readonly plugins: readonly PluginDefinition[];
}

/** Runs cases through Apache's classes and ours, or others and theirs, and compares all answers. */
export async function compareCases(
  cases: readonly Case[],
  signal: AbortSignal,
  more?: MoreClasses,
): Promise<Comparison> {
  const answers = await runJava(cases, signal, more?.jars);
  if (answers.length !== cases.length) throw new Error(`${cases.length} cases, but Java answered ${answers.length}`);
  const unexpected: Difference[] = [];
  const intended = new Map<string, number>();
  let inputs = 0;
  cases.forEach((test, index) => {
    inputs += test.inputs.length;
    for (const difference of differences(test, answers[index] ?? [], runOurs(test, more?.plugins))) {
      const { intended: reason } = difference;
      if (reason === null) unexpected.push(difference);
      else intended.set(reason, (intended.get(reason) ?? 0) + 1);
    }
  });
  return { cases: cases.length, inputs, unexpected, intended };
}

/** The first few differences as text, for a failed assertion. */
export function showDifferences(found: readonly Difference[]): string {
  return found
    .slice(0, 5)
    .map(({ case: test, input, java, ours }) =>
      JSON.stringify({ class: test.class, config: test.config, input, java, ours }),
    )
    .join("\n");
}

/** The line for the summary of `make interop`. */
export function summarize(what: string, { inputs, unexpected, intended }: Comparison): string {
  const meant = [...intended.values()].reduce((sum, count) => sum + count, 0);
  return `interop | ${what} | ${inputs} inputs | ${unexpected.length} differences, ${meant} intended of ${intended.size} kinds`;
}
