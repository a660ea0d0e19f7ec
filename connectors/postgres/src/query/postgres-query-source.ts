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
import { CONNECTION_KEYS, databaseOf, urlProblem } from "../connection.ts";
import { sourceDatabaseOf, TABLE_TYPES } from "./source-database.ts";

const KEYS = {
  ...CONNECTION_KEYS,
  ...config.group("Mode", MODE_KEYS),
  ...config.group("Tables", {
    ...TABLE_LIST_KEYS,
    "schema.pattern": config.text().default("").describe("Schemas, as SQL's LIKE takes them; empty: all."),
    "table.types": config
      .listOf(...TABLE_TYPES)
      .default(["TABLE"])
      .describe("Kinds of tables. A partitioned table is one table."),
    ...TABLE_POLL_KEYS,
  }),
  ...config.group("Connector", { ...CONNECTOR_KEYS, ...TASK_KEYS }),
};

const CONFIG = z.object(KEYS).superRefine((given, context) => {
  complain(context, [["connection.url", urlProblem(given["connection.url"])], ...sourceProblems(given)]);
});

/**
 * Reads tables, or a query, again and again, each time what is new. Configuration and offsets are those of the JDBC connectors.
 *
 * Guarantees: with an incrementing column (alone or with a timestamp) each row that it sees once and in order, also after a kill. By timestamps
 * alone rows that share one may come again. Rows that a transaction makes visible later than others with higher values are not seen.
 */
export const postgresQuerySource = defineSource({
  name: "postgres-query-source",
  version: "0.1.0",
  config: CONFIG,
  validate: (settings, signal) => connectionProblems(databaseOf(settings), signal),
  open: (settings, context, signal) => watchTables(sourceDatabaseOf(settings), { settings, context }, signal),
  planTasks: (settings, maxTasks, signal) => planTables(sourceDatabaseOf(settings), { settings, maxTasks }, signal),
  openTask: (settings, context) => createSourceTask(sourceDatabaseOf(settings), settings, context),
  exactlyOnceSupport: ({ mode }) => (mode.endsWith("incrementing") ? "SUPPORTED" : "UNSUPPORTED"),
  alterOffsets: (_, offsets) => checkOffsets(offsets, "database.schema.table"),
});
