import { config } from "@headrace/sdk";
import { z } from "zod";

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
      .anyCaseOf("disable", "prefer", "require", "verify-ca", "verify-full")
      .default("prefer")
      .describe("TLS, as libpq has it."),
    "database.sslrootcert": config.text().optional().describe("File with the authorities' certificates."),
    "database.sslcert": config.text().optional().describe("File with the client's certificate."),
    "database.sslkey": config.text().optional().describe("File with its key."),
    "database.connect.timeout.ms": config.int({ min: 1 }).default(10_000).describe("Time to connect, ms."),
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
    "slot.lag.alarm.bytes": config
      .long({ min: 1 })
      .default(2 ** 30)
      .describe("A warning is logged when PostgreSQL has to keep more of its log than this for the slot."),
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
  }),
  ...config.group("Snapshot", {
    "snapshot.mode": config
      .anyCaseOf("initial", "initial_only", "no_data", "when_needed", "always", "never")
      .default("initial")
      .describe(
        "When tables are read: at first, at first and nothing else, not at all, also when the slot is lost, or at each start.",
      ),
    "signal.data.collection": config
      .text()
      .default("")
      .describe("Table whose new rows (id, type, data) ask for incremental snapshots, as schema.table; empty: none."),
    "incremental.snapshot.chunk.size": config
      .int({ min: 1 })
      .default(1_024)
      .describe("Rows that are read at a time while the stream goes on."),
    "snapshot.max.threads": config.int({ min: 1, max: 64 }).default(1).describe("Tables that are read at a time."),
  }),
  ...config.group("Events", {
    "topic.prefix": config.nonEmpty().describe("Name of this source: the first part of topic and schema names."),
    "topic.delimiter": config.text().default(".").describe("What separates the parts of a topic's name."),
    "tombstones.on.delete": config
      .boolean()
      .default(true)
      .describe("A deletion is followed by a record without value, so that compaction forgets the row."),
    "skipped.operations": config
      .listOf("c", "u", "d", "t", "none")
      .default(["t"])
      .describe("Changes that are left out: c (insert), u, d, t (truncate); none: none."),
    "provide.transaction.metadata": config
      .boolean()
      .default(false)
      .describe("Tell of each event its place in the transaction, and of transactions their ends."),
    "unavailable.value.placeholder": config
      .text()
      .default("__debezium_unavailable_value")
      .describe("Stands for a large value that an update left as it was."),
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

/** The configuration of change capture. */
export const SETTINGS = z.object(KEYS).superRefine((given, context) => {
  const complain = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  if (!/^[a-z0-9_]{1,63}$/.test(given["slot.name"]))
    complain("slot.name", "a slot's name has lower-case letters, digits and underscores, 63 at the most");
  for (const kind of ["schema", "table", "column"] as const) {
    if (given[`${kind}.include.list`].length > 0 && given[`${kind}.exclude.list`].length > 0)
      complain(`${kind}.exclude.list`, `${kind}.include.list and ${kind}.exclude.list exclude one another`);
  }
});
export type Settings = z.output<typeof SETTINGS>;

/** What {@link import("../connection.ts").connect} needs, for one way of TLS. */
export function connectionOf(settings: Settings, sslmode: string) {
  const url = new URL("postgresql://host/");
  const host = settings["database.hostname"];
  url.hostname = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  url.port = String(settings["database.port"]);
  url.pathname = `/${encodeURIComponent(settings["database.dbname"])}`;
  if (sslmode !== "disable") {
    url.searchParams.set("uselibpqcompat", "true");
    url.searchParams.set("sslmode", sslmode);
    for (const file of ["sslrootcert", "sslcert", "sslkey"] as const) {
      const path = settings[`database.${file}`];
      if (path !== undefined && path !== "") url.searchParams.set(file, path);
    }
  }
  return {
    "connection.url": url.href,
    "connection.user": settings["database.user"],
    "connection.password": settings["database.password"],
    "connection.timeout.ms": settings["database.connect.timeout.ms"],
  };
}

/** Whether a table is captured. */
export function isCaptured(settings: Settings, schema: string, table: string): boolean {
  if (/^(pg_|information_schema$)/.test(schema)) return false;
  return (
    admits(settings["schema.include.list"], settings["schema.exclude.list"], schema) &&
    admits(settings["table.include.list"], settings["table.exclude.list"], `${schema}.${table}`)
  );
}

/** Whether changes of a table are to be published: it is captured, or tells of signals. */
export function isFollowed(settings: Settings, schema: string, table: string): boolean {
  return isCaptured(settings, schema, table) || settings["signal.data.collection"] === `${schema}.${table}`;
}

/** Whether a column's values are in the events. */
export function isColumnCaptured(settings: Settings, schema: string, table: string, column: string): boolean {
  const name = `${schema}.${table}.${column}`;
  return admits(settings["column.include.list"], settings["column.exclude.list"], name);
}

function admits(include: readonly RegExp[], exclude: readonly RegExp[], name: string): boolean {
  if (exclude.some((pattern) => pattern.test(name))) return false;
  return include.length === 0 || include.some((pattern) => pattern.test(name));
}
