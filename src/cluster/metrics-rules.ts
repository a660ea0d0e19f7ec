import { isObject } from "@headrace/contract";
import { parse } from "yaml";
import type { JmxExporter } from "./jmx-exporter.ts";

/** The rules of a cluster's JMX exporter, as they go into its revision. */
export interface MetricsRules {
  /** Null: there are none that can be used. */
  readonly text: string | null;
  /** What is wrong with those that the user names, as a sentence; null: nothing. */
  readonly problem: string | null;
  /** Whether there are workers that would go on without. */
  readonly hasWorkers: boolean;
}

export interface RulesFound {
  /** What the user's ConfigMap has; null: there is no such ConfigMap or key. */
  readonly given: string | null;
  /** Why that is not known, without a full stop; not given: it is known. */
  readonly unread?: string | undefined;
  /** The rules that the cluster's StatefulSet has; null: none. */
  readonly running: string | null;
  readonly hasWorkers: boolean;
}

/** The user's rules, or, as long as those cannot be used, the ones that the workers have: they are no reason to let anything else wait. */
export function toMetricsRules(
  { rules }: JmxExporter,
  { given, unread, running, hasWorkers }: RulesFound,
): MetricsRules {
  const where = `ConfigMap ${rules.name} with the key ${rules.key}`;
  if (unread !== undefined) return { text: running, problem: unread, hasWorkers };
  if (given === null) return { text: running, problem: `${where} does not exist`, hasWorkers };
  const flaw = flawOf(given);
  if (flaw === null) return { text: given, problem: null, hasWorkers };
  return { text: running, problem: `${where} has no rules of the JMX exporter: ${flaw}`, hasWorkers };
}

/** Nothing at all is a file of rules, too. */
function flawOf(text: string): string | null {
  try {
    const parsed: unknown = parse(text);
    return parsed === null || isObject(parsed) ? null : "it is no YAML mapping";
  } catch (error) {
    const [line = ""] = String(error instanceof Error ? error.message : error).split("\n");
    return line.replace(/[.:]+$/, "");
  }
}
