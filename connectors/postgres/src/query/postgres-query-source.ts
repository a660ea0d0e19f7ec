import { setTimeout as sleep } from "node:timers/promises";
import {
  ConfigError,
  type ConnectorContext,
  type ConnectorInstance,
  config,
  defineSource,
  type OffsetMap,
  type SourceTask,
  type SourceTaskContext,
} from "@headrace/sdk";
import type { Client } from "pg";
import { z } from "zod";
import { CONNECTION_KEYS, connect, toRetriable, urlProblem, withAbort } from "../connection.ts";
import { createTypeCatalog } from "../types/pg-type.ts";
import { fromOffset, type Position, START } from "./position.ts";
import type { Mode, Selection } from "./statement.ts";
import { checkTopics, fullName, listTables, splitTables, sqlName, type TableName } from "./table.ts";
import { createTableReader, type TableReader } from "./table-reader.ts";

const KEYS = {
  ...CONNECTION_KEYS,
  ...config.group("Mode", {
    mode: config
      .anyCaseOf("bulk", "incrementing", "timestamp", "timestamp+incrementing")
      .describe("How new rows are told: not at all, by a growing number, by a time of change, or by both."),
    "incrementing.column.name": config
      .text()
      .default("")
      .describe("Column with a number that grows with each new row; empty: the table's identity or serial column."),
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
  }),
  ...config.group("Tables", {
    "table.whitelist": config
      .list()
      .default([])
      .describe("Names of tables, as table, schema.table or database.schema.table."),
    "table.blacklist": config.list().default([]).describe("Names of tables that are left out."),
    "table.include.list": config.list().default([]).describe("Regular expressions that such a name has to match."),
    "table.exclude.list": config.list().default([]).describe("Regular expressions of tables that are left out."),
    "schema.pattern": config.text().default("").describe("Schemas, as SQL's LIKE takes them; empty: all."),
    "table.types": config
      .listOf("TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE")
      .default(["TABLE"])
      .describe("Kinds of tables. A partitioned table is one table."),
    "table.poll.interval.ms": config
      .long({ min: 1 })
      .default(60_000)
      .describe("Time between looks for new tables, ms."),
  }),
  ...config.group("Connector", {
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
    tables: config
      .text()
      .optional()
      .describe("Set by the connector for its tasks: the tables of each, as JSON.")
      .meta({ importance: "LOW" }),
  }),
};

const CONFIG = z.object(KEYS).superRefine((given, context) => {
  const complain = (key: string, message: string | null) => {
    if (message !== null) context.addIssue({ code: "custom", path: [key], message });
  };
  complain("connection.url", urlProblem(given["connection.url"]));
  const { mode, query } = given;
  if (mode.startsWith("timestamp") && given["timestamp.column.name"].length === 0)
    complain("timestamp.column.name", `mode=${mode} needs a column`);
  if (query !== "" && mode.endsWith("incrementing") && given["incrementing.column.name"] === "")
    complain("incrementing.column.name", `mode=${mode} with a query needs a column`);
  for (const key of ["table.whitelist", "table.blacklist", "table.include.list", "table.exclude.list"] as const) {
    if (query !== "" && given[key].length > 0) complain(key, "tables and a query exclude one another");
  }
  for (const key of ["table.include.list", "table.exclude.list"] as const) {
    for (const pattern of given[key]) complain(key, patternProblem(pattern));
  }
});
type Config = z.output<typeof CONFIG>;

function patternProblem(pattern: string): string | null {
  try {
    config.fullMatch(pattern);
    return null;
  } catch {
    return `${pattern} is no regular expression`;
  }
}

const TABLES = z.array(z.object({ database: z.string(), schema: z.string(), table: z.string() }));

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
  async validate(settings, signal) {
    try {
      const client = await connect(settings, signal);
      await client.end();
      return {};
    } catch (error) {
      return { "connection.url": [`cannot connect: ${error instanceof Error ? error.message : error}`] };
    }
  },
  open: watchTables,
  async planTasks(settings, maxTasks, signal) {
    if (settings.query !== "") return [{}];
    const tables = await readTables(settings, signal);
    checkTopics(tables);
    return splitTables(tables, maxTasks).map((group) => ({ tables: JSON.stringify(group) }));
  },
  openTask: async (settings, context) => await createTask(settings, context),
  exactlyOnceSupport: ({ mode }) => (mode.endsWith("incrementing") ? "SUPPORTED" : "UNSUPPORTED"),
  alterOffsets(_, offsets) {
    for (const { partition, offset } of offsets) {
      if (typeof partition["query"] !== "string" && typeof partition["table"] !== "string")
        throw new ConfigError('A partition is {"protocol":"1","table":"database.schema.table"} or {"query":"query"}');
      fromOffset(offset);
    }
    return true;
  },
});

async function readTables(settings: Config, signal: AbortSignal): Promise<readonly TableName[]> {
  const client = await connect(settings, signal);
  try {
    return await withAbort(client, signal, () => listTables(client, settings));
  } catch (error) {
    throw toRetriable(error);
  } finally {
    await client.end().catch(() => {}); // It may be broken already.
  }
}

/** Looks for tables that appear and disappear. Its first look is over before tasks are planned, so that none is missed in between. */
async function watchTables(
  settings: Config,
  context: ConnectorContext,
  opening: AbortSignal,
): Promise<ConnectorInstance> {
  if (settings.query !== "") return { close() {} };
  const closing = new AbortController();
  const { signal } = closing;

  /** The tables as one text; null: they could not be listed. */
  async function look(until: AbortSignal): Promise<string | null> {
    try {
      return JSON.stringify(await readTables(settings, until));
    } catch (error) {
      if (!until.aborted) context.log.warn({ error: String(error) }, "tables could not be listed");
      return null;
    }
  }

  async function watch(first: string | null): Promise<void> {
    let known = first;
    while (!signal.aborted) {
      await sleep(settings["table.poll.interval.ms"], undefined, { signal }).catch(() => {});
      const found = signal.aborted ? null : await look(signal);
      if (found === null || found === known) continue;
      known = found;
      context.requestTaskReconfiguration();
    }
  }
  const watching = watch(await look(opening));
  return {
    async close() {
      closing.abort();
      await watching;
    },
  };
}

/** Longest time between polls that return. */
const IDLE_MS = 1_000;

interface Job {
  readonly reader: TableReader;
  dueAt: number;
}

async function createTask(settings: Config, context: SourceTaskContext): Promise<SourceTask> {
  const read = context.metrics.counter("rows-read", "Rows read.");
  const types = createTypeCatalog();
  const sources = settings.query === "" ? TABLES.parse(JSON.parse(settings.tables ?? "[]")) : [null];
  const starts: { readonly table: TableName | null; readonly partition: OffsetMap; readonly start: Position }[] = [];
  for (const table of sources) {
    const partition: OffsetMap = table === null ? { query: "query" } : { protocol: "1", table: fullName(table) };
    const offset = await context.offset(partition);
    starts.push({ table, partition, start: offset === null ? initialPosition(settings) : fromOffset(offset) });
  }
  let jobs: readonly Job[] | null = null;
  let client: Client | null = null;
  let current: Job | null = null;

  async function disconnect(): Promise<void> {
    const open = client;
    client = null;
    current = null;
    for (const { reader } of jobs ?? []) reader.reset();
    await open?.end().catch(() => {}); // It may be broken already; nothing is lost with it.
  }

  async function createJobs(open: Client): Promise<readonly Job[]> {
    const found: Job[] = [];
    for (const { table, partition, start } of starts) {
      const reader = createTableReader({
        selection: await selectionOf(open, table, settings),
        name: table?.table ?? null,
        topic: `${settings["topic.prefix"]}${table?.table ?? ""}`,
        partition,
        start,
        rules: settings,
      });
      found.push({ reader, dueAt: 0 });
    }
    return found;
  }

  return {
    async poll(signal) {
      try {
        client ??= await connect(settings, signal);
        const open = client;
        jobs ??= await withAbort(open, signal, () => createJobs(open));
        current ??= nextJob(jobs);
        const waitMs = Math.min((current?.dueAt ?? Number.POSITIVE_INFINITY) - performance.now(), IDLE_MS);
        if (current === null || waitMs > 0) {
          current = null;
          await sleep(waitMs, undefined, { signal }).catch(() => {});
          return [];
        }
        const job = current;
        const { records, done } = await withAbort(open, signal, () => job.reader.read(open, types));
        if (done) {
          job.dueAt = performance.now() + settings["poll.interval.ms"];
          current = null;
        }
        read.add(records.length);
        return records;
      } catch (error) {
        await disconnect();
        if (signal.aborted) return [];
        throw toRetriable(error);
      }
    },
    close: disconnect,
  };
}

function nextJob(jobs: readonly Job[]): Job | null {
  return jobs.reduce<Job | null>((first, job) => (first === null || job.dueAt < first.dueAt ? job : first), null);
}

function initialPosition(settings: Config): Position {
  const initial = settings["timestamp.initial"];
  if (initial === undefined || !settings.mode.startsWith("timestamp")) return START;
  return { incrementing: null, timestamp: BigInt(initial === -1 ? Date.now() : initial) * 1_000n };
}

async function selectionOf(client: Client, table: TableName | null, settings: Config): Promise<Selection> {
  const mode: Mode = settings.mode;
  const given = settings["incrementing.column.name"];
  const from = table === null ? `(${settings.query.replace(/;\s*$/, "")}) AS rows` : sqlName(table);
  const incrementingColumn =
    mode.endsWith("incrementing") && given === "" ? await findIncrementing(client, table, from) : columnName(given);
  const timestampColumns = settings["timestamp.column.name"].map(columnName);
  return { mode, from, incrementingColumn, timestampColumns, suffix: settings["query.suffix"] };
}

/** JDBC sources take `alias.column` in queries; here the query has been given a name of its own. */
const columnName = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

async function findIncrementing(client: Client, table: TableName | null, from: string): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
       AND (attidentity <> '' OR pg_get_expr(adbin, adrelid) LIKE 'nextval(%')`,
    [from],
  );
  const [first] = rows;
  if (first !== undefined && rows.length === 1) return first.name;
  const found = rows.length === 0 ? "no" : "more than one";
  const message = `table ${table?.table} has ${found} identity or serial column: give incrementing.column.name`;
  throw table === null ? new ConfigError("a query needs incrementing.column.name") : new ConfigError(message);
}
