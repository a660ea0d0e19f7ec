import { config, defineSource } from "@headrace/sdk";
import {
  CONNECTOR_KEYS,
  checkOffsets,
  complain,
  connectionProblems,
  createSourceTask,
  MODE_KEYS,
  planTables,
  sourceProblems,
  TABLE_LIST_KEYS,
  TABLE_POLL_KEYS,
  TASK_KEYS,
  watchTables,
} from "@headrace/sql";
import { z } from "zod";
import { toAddress, urlProblem } from "../address.ts";
import { CONNECTION_KEYS } from "../connection-keys.ts";
import { databaseOf } from "../database.ts";
import { sourceDatabaseOf, TABLE_TYPES } from "./source-database.ts";

const KEYS = {
  ...CONNECTION_KEYS,
  ...config.group("Mode", MODE_KEYS),
  ...config.group("Tables", {
    ...TABLE_LIST_KEYS,
    "catalog.pattern": config
      .text()
      .default("")
      .describe("Databases, as SQL's LIKE takes them; empty: that of connection.url."),
    "table.types": config
      .listOf(...TABLE_TYPES)
      .default(["TABLE"])
      .describe("Kinds of tables."),
    ...TABLE_POLL_KEYS,
  }),
  ...config.group("Connector", {
    ...CONNECTOR_KEYS,
    "bigint.unsigned.handling.mode": config
      .anyCaseOf("long", "precise")
      .default("long")
      .describe("What BIGINT UNSIGNED becomes: a 64-bit integer, and larger values fail the task; or Decimal."),
    "tinyint1.as.boolean": config.boolean().default(false).describe("TINYINT(1) becomes a boolean, not an integer."),
    "zero.date.behavior": config
      .anyCaseOf("exception", "convert_to_null")
      .default("exception")
      .describe("What becomes of dates with zeros, such as 0000-00-00: the task fails, or they are null."),
    ...TASK_KEYS,
  }),
};

const CONFIG = z.object(KEYS).superRefine((given, context) => {
  const problem = urlProblem(given["connection.url"]);
  const isNowhere =
    problem === null && given.query === "" && given["catalog.pattern"] === "" && toAddress(given).database === null;
  complain(context, [
    ["connection.url", problem],
    ["connection.url", isNowhere ? "URL names no database: give one, or catalog.pattern" : null],
    ...sourceProblems(given),
  ]);
});

/**
 * Reads tables of MySQL or MariaDB, or a query, again and again, each time what is new. Configuration and offsets are those of the JDBC
 * connectors.
 *
 * Guarantees: with an incrementing column (alone or with a timestamp) each row that it sees once and in order, also after a kill. By timestamps
 * alone rows that share one may come again. Rows that a transaction makes visible later than others with higher values are not seen.
 */
export const mysqlQuerySource = defineSource({
  name: "mysql-query-source",
  aliases: ["mariadb-query-source"],
  version: "0.1.0",
  config: CONFIG,
  validate: (settings, signal) => connectionProblems(databaseOf(settings), signal),
  open: (settings, context, signal) => watchTables(sourceDatabaseOf(settings), { settings, context }, signal),
  planTasks: (settings, maxTasks, signal) => planTables(sourceDatabaseOf(settings), { settings, maxTasks }, signal),
  openTask: (settings, context) => createSourceTask(sourceDatabaseOf(settings), settings, context),
  exactlyOnceSupport: ({ mode }) => (mode.endsWith("incrementing") ? "SUPPORTED" : "UNSUPPORTED"),
  alterOffsets: (_, offsets) => checkOffsets(offsets, "database.table"),
});
