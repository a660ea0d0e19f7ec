import { config } from "@headrace/sdk";
import type { z } from "zod";
import { timeZoneProblem } from "../time-zone.ts";

/** Keys of a query source besides those of its connection, by group, as the JDBC connectors call them. A system may add its own to a group. */
export const MODE_KEYS = {
  mode: config
    .anyCaseOf("bulk", "incrementing", "timestamp", "timestamp+incrementing")
    .describe("How new rows are told: not at all, by a growing number, by a time of change, or by both."),
  "incrementing.column.name": config
    .text()
    .default("")
    .describe("Column with a number that grows with each new row; empty: the one column of the table that counts."),
  "timestamp.column.name": config
    .list()
    .default([])
    .describe("Columns with the time of a row's last change; the first that is not NULL counts."),
  "timestamp.initial": config
    .long()
    .optional()
    .describe("Milliseconds since the epoch from which on rows are read at first; -1: from now on; not given: all."),
  "validate.non.null": config
    .boolean()
    .default(true)
    .describe("Refuse tables in which these columns admit NULL: such rows would be passed over."),
  query: config.text().default("").describe("Read the result of this SELECT, instead of tables."),
  "query.suffix": config.text().default("").describe("SQL that is put at the end of each statement."),
};

export const TABLE_LIST_KEYS = {
  "table.whitelist": config
    .list()
    .default([])
    .describe("Names of tables, alone or with all that stands before them, with dots between."),
  "table.blacklist": config.list().default([]).describe("Names of tables that are left out."),
  "table.include.list": config.list().default([]).describe("Regular expressions that such a name has to match."),
  "table.exclude.list": config.list().default([]).describe("Regular expressions of tables that are left out."),
};

export const TABLE_POLL_KEYS = {
  "table.poll.interval.ms": config.long({ min: 1 }).default(60_000).describe("Time between looks for new tables, ms."),
};

export const CONNECTOR_KEYS = {
  "topic.prefix": config
    .nonEmpty()
    .describe("What stands before the table's name in the topic's; with query the whole name of the topic."),
  "poll.interval.ms": config.int({ min: 0 }).default(5_000).describe("Pause before a table is read again, ms."),
  "batch.max.rows": config.int({ min: 1 }).default(100).describe("Most rows of one batch."),
  "timestamp.delay.interval.ms": config
    .long({ min: 0 })
    .default(0)
    .describe(
      "Rows are read only when they are older than this, ms: longer than any transaction that writes them lasts.",
    ),
  "db.timezone": config
    .text()
    .default("UTC")
    .describe("Zone of columns with date and time but no zone of their own, for instance Europe/Berlin."),
  "numeric.mapping": config
    .anyCaseOf("none", "precision_only", "best_fit", "best_fit_eager_double")
    .default("none")
    .describe(
      "What NUMERIC becomes: always Decimal; integers where it has no fraction; floating-point numbers as well where it has up to 18 digits, or always.",
    ),
  "timestamp.granularity": config
    .anyCaseOf("connect_logical", "micros_long", "nanos_long")
    .default("connect_logical")
    .describe("What TIMESTAMP becomes: Connect's Timestamp, which has milliseconds, or a number of smaller units."),
};

/** Set by the connector for its tasks. */
export const TASK_KEYS = {
  tables: config
    .text()
    .optional()
    .describe("Set by the connector for its tasks: the tables of each, as JSON.")
    .meta({ importance: "LOW" }),
};

export type SourceSettings = z.output<
  z.ZodObject<
    typeof MODE_KEYS & typeof TABLE_LIST_KEYS & typeof TABLE_POLL_KEYS & typeof CONNECTOR_KEYS & typeof TASK_KEYS
  >
>;

/** What is wrong with the keys together: messages, each with its key. */
export function sourceProblems(given: SourceSettings): readonly (readonly [key: string, message: string])[] {
  const found: [string, string][] = [];
  const { mode, query } = given;
  if (mode.startsWith("timestamp") && given["timestamp.column.name"].length === 0)
    found.push(["timestamp.column.name", `mode=${mode} needs a column`]);
  if (query !== "" && mode.endsWith("incrementing") && given["incrementing.column.name"] === "")
    found.push(["incrementing.column.name", `mode=${mode} with a query needs a column`]);
  for (const key of ["table.whitelist", "table.blacklist", "table.include.list", "table.exclude.list"] as const) {
    if (query !== "" && given[key].length > 0) found.push([key, "tables and a query exclude one another"]);
  }
  for (const key of ["table.include.list", "table.exclude.list"] as const) {
    for (const pattern of given[key]) {
      if (!isPattern(pattern)) found.push([key, `${pattern} is no regular expression`]);
    }
  }
  const zone = timeZoneProblem(given["db.timezone"]);
  if (zone !== null) found.push(["db.timezone", zone]);
  return found;
}

function isPattern(pattern: string): boolean {
  try {
    config.fullMatch(pattern);
    return true;
  } catch {
    return false;
  }
}
