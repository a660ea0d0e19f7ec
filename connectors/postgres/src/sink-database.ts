import { type PositionTable, type SinkDatabase, type SinkSettings, type Table, timeZoneOf } from "@headrace/sql";
import type { Client } from "pg";
import { columnTypeOf } from "./cell.ts";
import { databaseOf, quoteTable } from "./connection.ts";
import { sqlState } from "./sql-state.ts";
import { writeAlike } from "./write.ts";

/** Bad data, a violated constraint, a wrong type, a column that is not there: another record may do. */
const OF_RECORD = /^(22|23|42804|42703|42846|P0001)/;

/** PostgreSQL as a sink sees it. */
export function sinkDatabaseOf(
  settings: Parameters<typeof databaseOf>[0] & Pick<SinkSettings, "db.timezone">,
): SinkDatabase<Client> {
  const zone = timeZoneOf(settings["db.timezone"]);
  return {
    ...databaseOf(settings),
    hasTransactionalDdl: true,
    addColumn: "ADD COLUMN IF NOT EXISTS",
    async run(client, sql) {
      await client.query(sql);
    },
    isOfRecord: (error) => OF_RECORD.test(sqlState(error) ?? ""),
    isColumnThere: () => false,
    readTable,
    columnTypeOf,
    writeAlike: (client, changes, options) => writeAlike(client, changes, { ...options, zone }),
    positionTable,
  };
}

/** A value that is cast to one of these with its length would be cut to it silently; without, it is refused when it comes to the column. */
const CUT_BY_CASTS = "{bpchar,varchar,bit,varbit,_bpchar,_varchar,_bit,_varbit}";

async function readTable(client: Client, name: string): Promise<Table | null> {
  const { rows } = await client.query<{ name: string; type: string }>(
    `WITH RECURSIVE columns AS (
       SELECT attnum, attname AS name, atttypid AS type, atttypmod AS modifier FROM pg_attribute
       WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
       UNION ALL SELECT attnum, name, typbasetype, typtypmod FROM columns JOIN pg_type ON oid = type WHERE typtype = 'd'
     )
     SELECT name, format_type(type, CASE WHEN type::regtype = ANY ($2::regtype[]) THEN -1 ELSE modifier END) AS type
     FROM columns JOIN pg_type ON oid = type WHERE typtype <> 'd' ORDER BY attnum`,
    [quoteTable(name), CUT_BY_CASTS],
  );
  if (rows.length === 0) return null;
  const types = new Map(rows.map((row) => [row.name, row.type]));
  return { typeOf: (column) => types.get(column) ?? null };
}

function positionTable(table: string): PositionTable<Client> {
  const name = quoteTable(table);
  return {
    async create(client) {
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${name} (connector text, topic text, partition integer, next_offset bigint NOT NULL,
         PRIMARY KEY (connector, topic, partition))`,
      );
    },
    async list(client, connector) {
      const { rows } = await client.query<{ topic: string; partition: number; next_offset: string }>(
        `SELECT topic, partition, next_offset FROM ${name} WHERE connector = $1`,
        [connector],
      );
      return rows.map(({ topic, partition, next_offset }) => ({ topic, partition, next: BigInt(next_offset) }));
    },
    async lock(client, { connector, topic, partition }) {
      const place = [connector, topic, partition];
      await client.query(`INSERT INTO ${name} VALUES ($1, $2, $3, -1) ON CONFLICT DO NOTHING`, place);
      const locked = await client.query<{ next_offset: string }>(
        `SELECT next_offset FROM ${name} WHERE connector = $1 AND topic = $2 AND partition = $3 FOR UPDATE`,
        place,
      );
      return BigInt(locked.rows[0]?.next_offset ?? -1);
    },
    async move(client, { connector, topic, partition }, next) {
      await client.query(`UPDATE ${name} SET next_offset = $4 WHERE connector = $1 AND topic = $2 AND partition = $3`, [
        connector,
        topic,
        partition,
        String(next),
      ]);
    },
  };
}
