import { config } from "@headrace/sdk";
import type { z } from "zod";
import { timeZoneProblem } from "../time-zone.ts";

/** Keys of a sink besides those of its connection, as the JDBC connectors call them. */
export const SINK_KEYS = {
  ...config.group("Writes", {
    "insert.mode": config
      .anyCaseOf("insert", "upsert", "update")
      .default("insert")
      .describe("What becomes of a record: a new row, a new row or a changed one by its key, or a changed one."),
    "batch.size": config.int({ min: 1 }).default(3000).describe("Most records of one transaction."),
    "delete.enabled": config
      .boolean()
      .default(false)
      .describe("Records without value delete the row of their key; needs pk.mode=record_key."),
    "exactly.once.enabled": config
      .boolean()
      .default(false)
      .describe(
        "Keep the positions in the database, changed by the transactions that write the rows: each record counts once.",
      ),
    "offsets.table": config.text().default("headrace_offsets").describe("Table of these positions; it is created."),
  }),
  ...config.group("Data Mapping", {
    "table.name.format": config
      .text()
      .default("${topic}")
      .describe("Name of the table, also with its schema or database before it and a dot between."),
    "pk.mode": config
      .anyCaseOf("none", "kafka", "record_key", "record_value")
      .default("none")
      .describe("Where the key is taken from: nowhere, the record's place in Kafka, its key or its value."),
    "pk.fields": config
      .list()
      .default([])
      .describe("Columns of the key; empty: all fields of the record's key, or the names that kafka has."),
    "fields.whitelist": config.list().default([]).describe("Fields of the value that are written; empty: all."),
  }),
  ...config.group("Time", {
    "db.timezone": config
      .text()
      .default("UTC")
      .describe("Zone of columns with date and time but no zone of their own, for instance Europe/Berlin."),
  }),
  ...config.group("DDL Support", {
    "auto.create": config
      .boolean()
      .default(false)
      .describe("Create tables that are missing, from the records' schemas."),
    "auto.evolve": config.boolean().default(false).describe("Add columns that are missing; they admit NULL."),
  }),
};

export type SinkSettings = z.output<z.ZodObject<typeof SINK_KEYS>>;

/** What is wrong with the keys together: messages, each with its key. */
export function sinkProblems(given: SinkSettings): readonly (readonly [key: string, message: string])[] {
  const found: [string, string][] = [];
  const mode = given["pk.mode"];
  if (given["insert.mode"] !== "insert" && mode === "none")
    found.push(["pk.mode", `insert.mode=${given["insert.mode"]} needs a key`]);
  if (given["delete.enabled"] && mode !== "record_key")
    found.push(["pk.mode", "delete.enabled needs pk.mode=record_key"]);
  if (mode === "record_value" && given["pk.fields"].length === 0)
    found.push(["pk.fields", "pk.mode=record_value needs the key's fields"]);
  if (mode === "kafka" && ![0, 3].includes(given["pk.fields"].length))
    found.push(["pk.fields", "pk.mode=kafka needs three names, for topic, partition and offset, or none"]);
  const zone = timeZoneProblem(given["db.timezone"]);
  if (zone !== null) found.push(["db.timezone", zone]);
  return found;
}
