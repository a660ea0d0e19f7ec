import type { ConfigValueProblem } from "@headrace/contract";

const MESSAGE_LENGTH = 300;
const LISTED_PROBLEMS = 20;

/** The text with a full stop, unless it ends with a mark already. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** The first line of a stack trace, as a sentence. */
export function firstLine(trace: string | undefined): string {
  const line = trace?.split("\n", 1)[0]?.trim() || "see connectorStatus";
  return sentence(line.length > MESSAGE_LENGTH ? `${line.slice(0, MESSAGE_LENGTH)}…` : line);
}

/** Wrong settings, one after the other. */
export function listProblems(problems: readonly ConfigValueProblem[]): string {
  const list = problems.slice(0, LISTED_PROBLEMS).map(({ key, message }) => `${key}: ${message.replace(/\.$/, "")}`);
  if (problems.length > LISTED_PROBLEMS) list.push(`and ${problems.length - LISTED_PROBLEMS} more`);
  return `${problems.length === 1 ? "A setting is" : `${problems.length} settings are`} wrong: ${list.join("; ")}.`;
}

/** A time as people and kubectl write it, to the second. */
export function timestamp(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z");
}
