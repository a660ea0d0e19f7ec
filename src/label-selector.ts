import type { LabelSelector } from "@headrace/contract";

type Requirement = NonNullable<LabelSelector["matchExpressions"]>[number];

const KEY = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?$/;

/** Whether labels are what a selector asks for. */
export function selects(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (!Object.entries(matchLabels).every(([name, value]) => labels[name] === value)) return false;
  return matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
      default:
        throw new Error(`unreachable: ${operator satisfies never}`);
    }
  });
}

/** Reads a selector as kubectl has it: `a=b, c!=d, e in (f,g), h notin (i), j, !k`. Undefined if it is none. */
export function parseLabelSelector(text: string): LabelSelector | undefined {
  const requirements = text.split(/,(?![^()]*\))/).map((part) => parseRequirement(part.trim()));
  const matchExpressions = requirements.filter((one) => one !== undefined);
  return matchExpressions.length === requirements.length ? { matchExpressions } : undefined;
}

function parseRequirement(text: string): Requirement | undefined {
  const [, key = "", , equality, value = "", set, list = ""] =
    /^!?\s*([^\s=!,()]+)\s*((==?|!=)\s*(\S*)|\s(in|notin)\s*\(([^()]*)\))?$/.exec(text) ?? [];
  if (!KEY.test(key)) return undefined;
  const isNegated = text.startsWith("!");
  if (equality === undefined && set === undefined) return { key, operator: isNegated ? "DoesNotExist" : "Exists" };
  const values = equality === undefined ? list.split(",").map((one) => one.trim()) : [value];
  if (isNegated || !values.every((one) => VALUE.test(one))) return undefined;
  return { key, operator: equality === "!=" || set === "notin" ? "NotIn" : "In", values };
}
