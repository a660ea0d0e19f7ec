import { z } from "zod";
import { hideSecrets } from "../hidden-secrets.ts";

const MAX_LENGTH = 400;
/** Levels of a log that tell why a process ended. */
const GRAVE: ReadonlySet<string> = new Set(["error", "fatal"]);
/** A line of a stack trace, Java's or Node's, or what Node prints around one. */
const STACK = /^\s+(at |\.\.\. \d+ more)|^Node\.js v|^[{}\s^]*$/;
/** The end of a log line whose beginning the kubelet has cut off: it keeps two kilobytes. */
const CUT = /"msg":("(?:[^"\\]|\\.)*")\}$/;
const CAUSE = /\\ncaused by: (?:\w*Error: )?((?:[^"\\]|\\[^n])*)/g;

const ErrorField = z.looseObject({ message: z.string() }).optional();
/** A line of a worker's log, which is pino's JSON. */
const LogLine = z.looseObject({ level: z.string(), msg: z.string(), err: ErrorField, error: ErrorField });
type LogLine = z.output<typeof LogLine>;

/**
 * Why a container has ended, out of the end of what it printed (a termination message): the last grave line of a JSON log, its error's message
 * included, or the last plain line that is not part of a stack trace, with the indented lines below it. One bounded line without a full stop
 * and without what looks like a secret; null if nothing was printed.
 */
export function lastWords(text: string | undefined): string | null {
  const lines = (text ?? "").split("\n").map((line) => line.trimEnd());
  const telling = lines.map((line, at) => wordsAt(lines, line, at)).findLast((words) => words !== null);
  const words = telling ?? mildWords(lines);
  if (words === null) return null;
  const shown = hideSecrets(words.replace(/\s+/g, " ").replace(/\.$/, ""), {});
  return shown.length > MAX_LENGTH ? `${shown.slice(0, MAX_LENGTH - 1)}…` : shown;
}

/** What the line tells of an end, with those below it that belong to it; null: nothing. */
function wordsAt(lines: readonly string[], line: string, at: number): string | null {
  const logged = toLogLine(line);
  if (logged !== null) return GRAVE.has(logged.level) ? inWords(logged) : null;
  const [, cut] = CUT.exec(line) ?? [];
  if (cut !== undefined)
    return [unquote(cut), ...[...line.matchAll(CAUSE)].map(([, cause = ""]) => unquote(`"${cause}"`))].join(": ");
  if (STACK.test(line) || /^\s/.test(line)) return null;
  const below = lines.slice(at + 1);
  const end = below.findIndex((one) => !/^\s/.test(one) || STACK.test(one));
  const details = below.slice(0, end === -1 ? below.length : end).map((one) => one.trim());
  return details.length === 0 ? line : `${line} ${details.join("; ")}`;
}

/** Where no line tells of an end: the last one. */
function mildWords(lines: readonly string[]): string | null {
  const line = lines.findLast((one) => one.trim() !== "");
  if (line === undefined) return null;
  const logged = toLogLine(line);
  return logged === null ? line.trim() : inWords(logged);
}

function inWords({ msg, err, error }: LogLine): string {
  const why = (err ?? error)?.message;
  return why === undefined ? msg : `${msg}: ${why}`;
}

function toLogLine(line: string): LogLine | null {
  if (!line.startsWith("{")) return null;
  try {
    return LogLine.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null; // Not JSON, or not all of it.
  }
}

/** A JSON string, or what is left of one. */
function unquote(text: string): string {
  try {
    return z.string().parse(JSON.parse(text));
  } catch {
    return text.slice(1, -1);
  }
}
