import { postgresCdcSource } from "@headrace/postgres";
import type { SourceRecord, Value } from "@headrace/sdk";
import { createMemoryOffsets, type MemoryOffsets, openSourceRun, type SourceRun, until } from "@headrace/sdk/testing";
import type { Database, PostgresServer } from "./postgres-server.ts";

export type Plain = Readonly<Record<string, Value>>;
export const plain = (value: Value | undefined): Plain => value as Plain;

/** The event in a record: what happened, and the rows; null: a tombstone. */
export function eventOf({ value }: SourceRecord) {
  if (value.value === null) return null;
  const { op, before: old, after: now, source } = plain(value.value);
  return { op, before: old ?? null, after: now ?? null, source: plain(source) };
}

/** What the task has logged with these words in it. */
export const linesOf = (run: SourceRun, text: string) => run.log.lines.filter((line) => line.includes(text));

/** Takes records, gives them to `copy` and acknowledges them until the condition holds. */
export async function takeUntil(
  run: SourceRun,
  copy: { apply(records: readonly SourceRecord[]): void },
  condition: () => boolean,
): Promise<void> {
  while (!condition()) {
    const records = await run.take(1);
    copy.apply(records);
    await run.acknowledge(records);
  }
}

/** How change capture reaches a database of the tests; its slot has the database's name. */
export const configOf = (database: Database, more: Readonly<Record<string, string>> = {}) => ({
  "database.hostname": "127.0.0.1",
  "database.port": String(database.proxyPort),
  "database.user": "headrace",
  "database.dbname": database.name,
  "slot.name": database.name,
  "topic.prefix": "db",
  "poll.interval.ms": "50",
  "status.update.interval.ms": "100",
  ...more,
});

/** What a test of change capture works with. */
export interface CaptureTools {
  readonly database: Database;
  readonly query: (sql: string) => Promise<Plain[]>;
  readonly open: (config?: Readonly<Record<string, string>>, offsets?: MemoryOffsets) => Promise<SourceRun>;
  /** The place up to which the slot was acknowledged. */
  readonly slot: () => Promise<bigint>;
}

/** A database of its own for one test, closed with all that runs on it. */
export async function withDatabase(
  server: PostgresServer,
  setUp: string,
  use: (tools: CaptureTools) => Promise<void>,
): Promise<void> {
  const database = await server.createDatabase();
  const open: SourceRun[] = [];
  const query = async (sql: string) => (await database.client.query<Plain>(sql)).rows;
  try {
    await query(setUp);
    await use({
      database,
      query,
      async open(config = {}, offsets = createMemoryOffsets()) {
        const run = await openSourceRun(postgresCdcSource, {
          config: configOf(database, config),
          offsets,
          patienceMs: 60_000,
        });
        open.push(run);
        return run;
      },
      async slot() {
        const [row] = await query(
          `SELECT (confirmed_flush_lsn - '0/0')::text AS lsn FROM pg_replication_slots WHERE slot_name = '${database.name}'`,
        );
        return BigInt(String(row?.["lsn"] ?? 0));
      },
    });
  } finally {
    for (const run of open) await run.close();
    await database.close();
  }
}

/** Resolves when a run follows the stream; somebody has to take records meanwhile. */
export const streaming = (run: SourceRun) =>
  until(60_000, "changes are followed", () => run.log.lines.some((line) => line.includes("changes are followed")));
