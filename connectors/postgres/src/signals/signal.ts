import { config } from "@headrace/sdk";
import { z } from "zod";

/** Which rows of some tables are to be read. */
export interface Condition {
  /** `schema.table`, or a regular expression for such names. */
  readonly pattern: string;
  /** A condition in SQL, or, of a blocking snapshot, a whole SELECT. */
  readonly filter: string;
}

/** What a row of the signal table asks for. Source: Debezium 3.4, "Sending signals to a Debezium connector". */
export type Signal =
  /** The first condition for a table counts; without one all of its rows are read. */
  | {
      readonly kind: "execute";
      readonly blocking: boolean;
      readonly patterns: readonly string[];
      readonly conditions: readonly Condition[];
    }
  /** No patterns: everything. */
  | { readonly kind: "stop"; readonly patterns: readonly string[] }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "log"; readonly message: string }
  /** Cannot be done: why, and what can. */
  | { readonly kind: "unusable"; readonly reason: string };

const incremental = z
  .string()
  .regex(/^incremental$/i, "only incremental snapshots can be stopped, paused and resumed")
  .default("incremental");
const names = z.array(z.string().min(1)).min(1, "names no table");
const EXECUTE = z.looseObject({
  "data-collections": names,
  type: z
    .string()
    .regex(/^(incremental|blocking)$/i, "snapshots are incremental or blocking")
    .default("incremental"),
  "additional-conditions": z.array(z.looseObject({ "data-collection": z.string(), filter: z.string() })).default([]),
  "additional-condition": z
    .undefined({ error: "additional-condition is not there any more: use additional-conditions" })
    .optional(),
  "surrogate-key": z
    .undefined({ error: "surrogate-key is not there: tables are read by their primary key" })
    .optional(),
});
const STOP = z.looseObject({ "data-collections": names.optional(), type: incremental });
const PAUSE = z.looseObject({ type: incremental });
const LOG = z.looseObject({ message: z.string() });

/** Reads `type` and `data` of a row; never throws. */
export function parseSignal(type: string, data: string | null): Signal {
  try {
    const parsed: unknown = data === null || data.trim() === "" ? {} : JSON.parse(data);
    switch (type) {
      case "execute-snapshot":
        return execute(EXECUTE.parse(parsed));
      case "stop-snapshot":
        return { kind: "stop", patterns: patternsOf(STOP.parse(parsed)["data-collections"] ?? []) };
      case "pause-snapshot":
        PAUSE.parse(parsed);
        return { kind: "pause" };
      case "resume-snapshot":
        PAUSE.parse(parsed);
        return { kind: "resume" };
      case "log":
        return { kind: "log", message: LOG.parse(parsed).message };
      default:
        return {
          kind: "unusable",
          reason: "no such signal; there are execute-snapshot, stop-snapshot, pause-snapshot, resume-snapshot and log",
        };
    }
  } catch (error) {
    if (error instanceof z.ZodError)
      return {
        kind: "unusable",
        reason: error.issues.map(({ path, message }) => [...path.map(String), message].join(": ")).join("; "),
      };
    return { kind: "unusable", reason: error instanceof Error ? error.message : String(error) };
  }
}

function execute(wanted: z.output<typeof EXECUTE>): Signal {
  const conditions = wanted["additional-conditions"];
  patternsOf(conditions.map(({ "data-collection": pattern }) => pattern));
  return {
    kind: "execute",
    blocking: /^blocking$/i.test(wanted.type),
    patterns: patternsOf(wanted["data-collections"]),
    conditions: conditions.map(({ "data-collection": pattern, filter }) => ({ pattern, filter })),
  };
}

/** Throws for what is no regular expression. */
function patternsOf(texts: readonly string[]): readonly string[] {
  for (const text of texts) config.fullMatch(text);
  return texts;
}
