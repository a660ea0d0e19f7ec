import { defineSink } from "@headrace/sdk";
import { complain, connectionProblems, createSinkTask, SINK_KEYS, sinkProblems } from "@headrace/sql";
import { z } from "zod";
import { CONNECTION_KEYS, databaseOf, urlProblem } from "./connection.ts";
import { sinkDatabaseOf } from "./sink-database.ts";

const CONFIG = z.object({ ...CONNECTION_KEYS, ...SINK_KEYS }).superRefine((given, context) => {
  complain(context, [["connection.url", urlProblem(given["connection.url"])], ...sinkProblems(given)]);
});

/**
 * Writes records into tables, each batch in one transaction.
 *
 * Guarantees: offsets are committed only after the transaction has been; order of changes per row. With `exactly.once.enabled`, or by keys
 * in mode upsert, a record that comes again changes nothing.
 */
export const postgresSink = defineSink({
  name: "postgres-sink",
  version: "0.1.0",
  config: CONFIG,
  validate: (settings, signal) => connectionProblems(databaseOf(settings), signal),
  openTask: async (settings, context) => createSinkTask(sinkDatabaseOf(settings), settings, context),
  alterOffsets: (settings) => !settings["exactly.once.enabled"],
});
