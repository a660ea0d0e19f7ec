import { config } from "@headrace/sdk";
import { z } from "zod";
import { isRewriteKey, parseRewrite } from "./column-rewrite.ts";
import { idleKeys, refusedKeys, type UnusedKey } from "./debezium-keys.ts";
import { parseMessageKeys } from "./message-key.ts";
import { type IdentityRule, parseIdentityRule } from "./replica-identity.ts";

/** Regular expressions that a whole name has to match, separated by commas. */
const patterns = () =>
  config.list().transform((texts, context): readonly RegExp[] =>
    texts.flatMap((text) => {
      try {
        return [config.fullMatch(text)];
      } catch {
        context.addIssue({ code: "custom", message: `${text} is no regular expression`, input: text });
        return [];
      }
    }),
  );

/** Keys, names and defaults are Debezium's, where it has them. */
const KEYS = {
  ...config.group("Connection", {
    "database.hostname": config.nonEmpty().describe("Host of the database."),
    "database.port": config.int({ min: 1, max: 65_535 }).default(5_432).describe("Its port."),
    "database.user": config.nonEmpty().describe("User; it needs the attribute REPLICATION."),
    "database.password": config.password().optional().describe("Password."),
    "database.dbname": config.nonEmpty().describe("Database whose changes are captured."),
    "database.sslmode": config
      .anyCaseOf("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
      .default("prefer")
      .describe("TLS, as libpq has it."),
    "database.sslrootcert": config.text().optional().describe("File with the authorities' certificates."),
    "database.sslcert": config.text().optional().describe("File with the client's certificate."),
    "database.sslkey": config.text().optional().describe("File with its key."),
    "database.connect.timeout.ms": config.int({ min: 1 }).default(10_000).describe("Time to connect, ms."),
    "database.initial.statements": config
      .text()
      .default("")
      .describe(
        "SQL that each connection begins with, but for the one of the stream; statements end with a semicolon.",
      ),
  }),
  ...config.group("Replication", {
    "plugin.name": config.oneOf("pgoutput").default("pgoutput").describe("Output plugin; PostgreSQL's own only."),
    "slot.name": config.text().default("debezium").describe("Replication slot; created if it is not there."),
    "publication.name": config.text().default("dbz_publication").describe("Publication."),
    "publication.autocreate.mode": config
      .anyCaseOf("all_tables", "disabled", "filtered", "no_tables")
      .default("all_tables")
      .describe("What is published if the publication is not there; filtered: the captured tables, kept up to date."),
    "publish.via.partition.root": config
      .boolean()
      .default(false)
      .describe("Changes of partitions are those of the partitioned table."),
    "status.update.interval.ms": config
      .int({ min: 100 })
      .default(10_000)
      .describe("Time between messages that tell PostgreSQL what Kafka has, ms."),
    "replica.identity.autoset.values": config
      .list()
      .transform((texts, context): readonly IdentityRule[] =>
        texts.flatMap((text) => {
          const rule = parseIdentityRule(text);
          if (rule !== null) return [rule];
          const message = `${text} is not of the form schema.table:FULL, DEFAULT, NOTHING or INDEX name`;
          context.addIssue({ code: "custom", message, input: text });
          return [];
        }),
      )
      .default([])
      .describe(
        "Replica identities that captured tables are given: regular expression of schema.table, colon, identity.",
      ),
    "slot.lag.alarm.bytes": config
      .long({ min: 1 })
      .default(2 ** 30)
      .describe("A warning is logged when PostgreSQL has to keep more of its log than this for the slot."),
    "slot.watch.interval.ms": config
      .int({ min: 100 })
      .default(10_000)
      .describe("Time between questions to PostgreSQL what it keeps of its log for the slot, ms."),
  }),
  ...config.group("Tables", {
    "schema.include.list": patterns().default([]).describe("Schemas, as regular expressions; empty: all."),
    "schema.exclude.list": patterns().default([]).describe("Schemas that are left out."),
    "table.include.list": patterns()
      .default([])
      .describe("Tables, as regular expressions of schema.table; empty: all."),
    "table.exclude.list": patterns().default([]).describe("Tables that are left out."),
    "column.include.list": patterns()
      .default([])
      .describe("Columns, as regular expressions of schema.table.column; empty: all. The key stays in any case."),
    "column.exclude.list": patterns().default([]).describe("Columns that are left out."),
    "message.prefix.include.list": patterns()
      .default([])
      .describe("Prefixes of logical messages, as regular expressions; empty: all."),
    "message.prefix.exclude.list": patterns().default([]).describe("Prefixes of logical messages that are left out."),
  }),
  ...config.group("Snapshot", {
    "snapshot.mode": config
      .anyCaseOf("initial", "initial_only", "no_data", "when_needed", "always", "never")
      .default("initial")
      .describe(
        "When tables are read: at first, at first and nothing else, not at all, also when the slot is lost, or at each start.",
      ),
    "snapshot.include.collection.list": patterns()
      .default([])
      .describe(
        "Captured tables that the first reading is to read, as regular expressions of schema.table; empty: all.",
      ),
    "snapshot.select.statement.overrides": config
      .list()
      .default([])
      .describe("Tables that have a SELECT of their own, in snapshot.select.statement.overrides.<schema.table>."),
    "signal.data.collection": config
      .text()
      .default("")
      .describe("Table whose new rows (id, type, data) ask for snapshots, as schema.table; empty: none."),
    "incremental.snapshot.chunk.size": config
      .int({ min: 1 })
      .default(1_024)
      .describe("Rows that are read at a time while the stream goes on."),
    "snapshot.max.threads": config.int({ min: 1, max: 64 }).default(1).describe("Tables that are read at a time."),
  }),
  ...config.group("Events", {
    "topic.prefix": config.nonEmpty().describe("Name of this source: the first part of topic and schema names."),
    "topic.delimiter": config.text().default(".").describe("What separates the parts of a topic's name."),
    "message.key.columns": config
      .text()
      .transform((text, context) => {
        const keys = parseMessageKeys(text);
        if (keys !== null) return keys;
        context.addIssue({ code: "custom", message: "not of the form schema.table:column,column;…", input: text });
        return z.NEVER;
      })
      .default([])
      .describe(
        "Columns of keys in place of the primary key: regular expression of schema.table, colon, columns; more after ;.",
      ),
    "tombstones.on.delete": config
      .boolean()
      .default(true)
      .describe("A deletion is followed by a record without value, so that compaction forgets the row."),
    "skipped.operations": config
      .listOf("c", "u", "d", "t", "none")
      .default(["t"])
      .describe("Changes that are left out: c (insert), u, d, t (truncate); none: none."),
    "skip.messages.without.change": config
      .boolean()
      .default(false)
      .describe("Leave out updates that change no captured column; of tables with REPLICA IDENTITY FULL only."),
    "provide.transaction.metadata": config
      .boolean()
      .default(false)
      .describe("Tell of each event its place in the transaction, and of transactions their ends."),
    "topic.transaction": config
      .nonEmpty()
      .default("transaction")
      .describe("Topic of these ends: topic.prefix, the delimiter and this."),
    "unavailable.value.placeholder": config
      .text()
      .default("__debezium_unavailable_value")
      .describe("Stands for a large value that an update left as it was; hex: and bytes in hexadecimal as well."),
    "decimal.handling.mode": config
      .anyCaseOf("precise", "double", "string")
      .default("precise")
      .describe("What NUMERIC and MONEY become."),
    "time.precision.mode": config
      .anyCaseOf("adaptive", "adaptive_time_microseconds", "connect")
      .default("adaptive")
      .describe("What dates and times become: numbers as exact as the column, or Connect's types."),
    "interval.handling.mode": config
      .anyCaseOf("numeric", "string")
      .default("numeric")
      .describe("What INTERVAL becomes."),
    "hstore.handling.mode": config.anyCaseOf("json", "map").default("json").describe("What HSTORE becomes."),
    "binary.handling.mode": config
      .anyCaseOf("bytes", "base64", "base64-url-safe", "hex")
      .default("bytes")
      .describe("What BYTEA becomes."),
  }),
  ...config.group("Pace", {
    "max.batch.size": config.int({ min: 1 }).default(2_048).describe("Most records of one batch."),
    "poll.interval.ms": config.int({ min: 1 }).default(500).describe("Longest wait for the first of them, ms."),
    "heartbeat.interval.ms": config
      .int({ min: 0 })
      .default(0)
      .describe("Time between records that only store where the stream is, ms; 0: none."),
    "topic.heartbeat.prefix": config
      .text()
      .default("__debezium-heartbeat")
      .describe("Their topic has this name, the delimiter and topic.prefix."),
    "heartbeat.action.query": config.text().default("").describe("SQL that is run with each heartbeat."),
  }),
};

/** Statements of tables. */
const OVERRIDES = "snapshot.select.statement.overrides";

/** The configuration of change capture; keys with names of columns or tables in them are not in its shape. */
export const SETTINGS = z.looseObject(KEYS).superRefine((given, context) => {
  const complain = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  if (!/^[a-z0-9_]{1,63}$/.test(given["slot.name"]))
    complain("slot.name", "a slot's name has lower-case letters, digits and underscores, 63 at the most");
  for (const { key, reason } of refusedKeys(given)) complain(key, reason);
  for (const [key, value] of Object.entries(given)) {
    if (!isRewriteKey(key)) continue;
    try {
      parseRewrite(key, String(value));
    } catch (error) {
      complain(key, error instanceof Error ? error.message : String(error));
    }
  }
  for (const table of given[OVERRIDES]) {
    if (selectOverride(given, table) === null)
      complain(`${OVERRIDES}.${table}`, "the statement of this table is missing");
  }
  for (const kind of ["schema", "table", "column", "message.prefix"] as const) {
    if (given[`${kind}.include.list`].length > 0 && given[`${kind}.exclude.list`].length > 0)
      complain(`${kind}.exclude.list`, `${kind}.include.list and ${kind}.exclude.list exclude one another`);
  }
});
export type Settings = z.output<typeof SETTINGS>;

/** The statement that reads a table in place of all of its rows; null: there is none. */
export function selectOverride(given: Readonly<Record<string, unknown>>, table: string): string | null {
  const statement = given[`${OVERRIDES}.${table}`];
  return typeof statement === "string" && statement.trim() !== "" ? statement.trim().replace(/;$/, "") : null;
}

/** Keys that are given and have no effect. */
export function withoutEffect(settings: Settings): readonly UnusedKey[] {
  const isOverride = (key: string) => settings[OVERRIDES].some((table) => key === `${OVERRIDES}.${table}`);
  return idleKeys(settings, (key) => key in KEYS || isRewriteKey(key) || isOverride(key));
}

/** What {@link import("../connection.ts").connect} needs. */
export function connectionOf(settings: Settings) {
  const url = new URL("postgresql://host/");
  const host = settings["database.hostname"];
  url.hostname = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  url.port = String(settings["database.port"]);
  url.pathname = `/${encodeURIComponent(settings["database.dbname"])}`;
  for (const name of ["sslmode", "sslrootcert", "sslcert", "sslkey"] as const) {
    const value = settings[`database.${name}`];
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return {
    "connection.url": url.href,
    "connection.user": settings["database.user"],
    "connection.password": settings["database.password"],
    "connection.timeout.ms": settings["database.connect.timeout.ms"],
  };
}
