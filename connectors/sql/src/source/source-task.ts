import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, type OffsetMap, type SourceTask, type SourceTaskContext } from "@headrace/sdk";
import { withAbort } from "../database.ts";
import { type TimeZone, timeZoneOf, UTC } from "../time-zone.ts";
import { fromOffset, type Position, START } from "./position.ts";
import type { SourceSettings } from "./settings.ts";
import type { SourceDatabase } from "./source-database.ts";
import type { Selection } from "./statement.ts";
import { fullName, type TableName } from "./table-name.ts";
import { createTableReader, type TableReader } from "./table-reader.ts";
import { tablesOf } from "./tables.ts";

/** Longest time between polls that return. */
const IDLE_MS = 1_000;

interface Job<C> {
  readonly reader: TableReader<C>;
  dueAt: number;
}

/** What a task reads, and from where on. */
interface Start {
  /** null: the query. */
  readonly table: TableName | null;
  readonly partition: OffsetMap;
  readonly start: Position;
}

/** Creates the task of a query source: it reads its tables in turn, each when it is due. */
export async function createSourceTask<C>(
  database: SourceDatabase<C>,
  settings: SourceSettings,
  context: SourceTaskContext,
): Promise<SourceTask> {
  const read = context.metrics.counter("rows-read", "Rows read.");
  const starts: Start[] = [];
  for (const table of settings.query === "" ? tablesOf(settings) : [null]) {
    const partition: OffsetMap = table === null ? { query: "query" } : { protocol: "1", table: fullName(table) };
    const offset = await context.offset(partition);
    starts.push({ table, partition, start: offset === null ? initialPosition(settings) : fromOffset(offset) });
  }
  let jobs: readonly Job<C>[] | null = null;
  let connection: C | null = null;
  let current: Job<C> | null = null;

  async function disconnect(): Promise<void> {
    const open = connection;
    connection = null;
    current = null;
    for (const { reader } of jobs ?? []) reader.reset();
    if (open !== null) await database.close(open);
  }

  async function createJobs(open: C): Promise<readonly Job<C>[]> {
    const found: Job<C>[] = [];
    for (const { table, partition, start } of starts) {
      const reader = createTableReader(database, {
        selection: await selectionOf(database, open, { table, settings }),
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
        if (connection !== null && !database.isOpen(connection)) await disconnect();
        connection ??= await database.connect(signal);
        const open = connection;
        jobs ??= await withAbort(database, open, () => createJobs(open), signal);
        current ??= nextJob(jobs);
        const waitMs = Math.min((current?.dueAt ?? Number.POSITIVE_INFINITY) - performance.now(), IDLE_MS);
        if (current === null || waitMs > 0) {
          current = null;
          await sleep(waitMs, undefined, { signal }).catch(() => {});
          return [];
        }
        const job = current;
        const { records, done } = await withAbort(database, open, () => job.reader.read(open), signal);
        if (done) {
          job.dueAt = performance.now() + settings["poll.interval.ms"];
          current = null;
        }
        read.add(records.length);
        return records;
      } catch (error) {
        await disconnect();
        if (signal.aborted) return [];
        throw database.toRetriable(error);
      }
    },
    close: disconnect,
  };
}

function nextJob<C>(jobs: readonly Job<C>[]): Job<C> | null {
  return jobs.reduce<Job<C> | null>((first, job) => (first === null || job.dueAt < first.dueAt ? job : first), null);
}

function initialPosition(settings: SourceSettings): Position {
  const initial = settings["timestamp.initial"];
  if (initial === undefined || !settings.mode.startsWith("timestamp")) return START;
  return { incrementing: null, timestamp: BigInt(initial === -1 ? Date.now() : initial) * 1_000n };
}

async function selectionOf<C>(
  database: SourceDatabase<C>,
  connection: C,
  { table, settings }: { readonly table: TableName | null; readonly settings: SourceSettings },
): Promise<Selection> {
  const { mode } = settings;
  const given = settings["incrementing.column.name"];
  const from =
    table === null
      ? `(${settings.query.replace(/;\s*$/, "")}) AS ${database.quote("rows")}`
      : database.quoteTableName(table);
  const incrementingColumn =
    mode.endsWith("incrementing") && given === "" ? await findCounting(database, connection, table) : columnName(given);
  const timestampColumns = settings["timestamp.column.name"].map(columnName);
  const zone = await zoneOf(database, connection, { from, timestampColumns, settings });
  return { mode, from, incrementingColumn, timestampColumns, zone, suffix: settings["query.suffix"] };
}

/** In which the timestamp columns have their times. */
async function zoneOf<C>(
  database: SourceDatabase<C>,
  connection: C,
  given: { readonly from: string; readonly timestampColumns: readonly string[]; readonly settings: SourceSettings },
): Promise<TimeZone> {
  const { from, timestampColumns, settings } = given;
  const zone = timeZoneOf(settings["db.timezone"]);
  if (zone === UTC || !settings.mode.startsWith("timestamp")) return UTC;
  const zoneless = await database.zonelessColumns(connection, from, timestampColumns);
  if (zoneless.length === 0) return UTC;
  if (zoneless.length < timestampColumns.length)
    throw new ConfigError(
      "timestamp.column.name has columns with and without a zone: with db.timezone they have to be of one kind",
    );
  return zone;
}

/** JDBC sources take `alias.column` in queries; here the query has been given a name of its own. */
const columnName = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

async function findCounting<C>(database: SourceDatabase<C>, connection: C, table: TableName | null): Promise<string> {
  if (table === null) throw new ConfigError("a query needs incrementing.column.name");
  const columns = await database.countingColumns(connection, table);
  const [first] = columns;
  if (first !== undefined && columns.length === 1) return first;
  const found = columns.length === 0 ? "no" : "more than one";
  throw new ConfigError(
    `table ${table.table} has ${found} ${database.countingColumn} column: give incrementing.column.name`,
  );
}
