import { ConfigError } from "@headrace/sdk";
import type { ConnectionSettings } from "@headrace/sql";
import {
  type Change,
  type Place,
  type PositionTable,
  quoteTable,
  type SinkDatabase,
  type SinkSettings,
  type Table,
  timeZoneOf,
  UTC,
} from "@headrace/sql";
import type { Connection } from "../connection.ts";
import { databaseOf } from "../database.ts";
import { errorNumber, isOfRecord } from "../errors.ts";
import { quote, textLiteral } from "../sql-text.ts";
import { columnTypeOf } from "./column-type.ts";
import { statementsOf } from "./statements.ts";

/** Source: MySQL, ER_BAD_DB_ERROR and ER_NO_SUCH_TABLE. */
const NO_TABLE: ReadonlySet<number | null> = new Set([1049, 1146]);
/** Source: MySQL, ER_DUP_FIELDNAME. */
const COLUMN_THERE = 1060;
/** Engines that take no part in transactions. */
const NO_TRANSACTIONS = /\bENGINE=(MyISAM|Aria|MEMORY|CSV|ARCHIVE|MRG_MyISAM|BLACKHOLE)\b/i;

/**
 * Longest silence of a sink, seconds, also within a transaction while records are reported: so long a worker that vanishes leaves its locks to
 * the task that comes after it. An idle connection that ends so is opened anew.
 */
const SILENCE_S = 600;

type Settings = ConnectionSettings & Pick<SinkSettings, "exactly.once.enabled" | "db.timezone">;

/** MySQL and MariaDB as a sink sees them. Creating or changing a table ends a transaction there. */
export function sinkDatabaseOf(settings: Settings): SinkDatabase<Connection> {
  const zone = timeZoneOf(settings["db.timezone"]);
  return {
    ...databaseOf(settings, SILENCE_S),
    hasTransactionalDdl: false,
    addColumn: "ADD COLUMN",
    async run(connection, sql) {
      await connection.query(sql);
    },
    isOfRecord,
    isColumnThere: (error) => errorNumber(error) === COLUMN_THERE,
    async readTable(connection, name) {
      const table = await readTable(connection, name);
      if (table !== null && settings["exactly.once.enabled"]) await checkEngine(connection, name);
      return table;
    },
    columnTypeOf,
    async writeAlike(connection, changes, { table, mode }) {
      const [head, ...others] = changes;
      if (head === undefined) return;
      const alike: [Change, ...Change[]] = [head, ...others];
      // A TIMESTAMP is taken in the session's zone, which is UTC.
      const zoneOf = (column: string) => (/^datetime/i.test(table.typeOf(column) ?? "") ? zone : UTC);
      for (const statement of statementsOf(alike, { mode, maxBytes: connection.maxBytes, zoneOf }))
        await connection.query(statement);
    },
    positionTable,
  };
}

/** Names of columns are the same in capitals and small letters. */
async function readTable(connection: Connection, name: string): Promise<Table | null> {
  try {
    const rows = await connection.query(`SHOW COLUMNS FROM ${quoteTable({ quote }, name)}`);
    const types = new Map(rows.map(([column, type]) => [String(column).toLowerCase(), String(type)]));
    return { typeOf: (column) => types.get(column.toLowerCase()) ?? null };
  } catch (error) {
    if (NO_TABLE.has(errorNumber(error))) return null;
    throw error;
  }
}

async function checkEngine(connection: Connection, name: string): Promise<void> {
  const [[, definition] = []] = await connection.query(`SHOW CREATE TABLE ${quoteTable({ quote }, name)}`);
  const [, engine] = NO_TRANSACTIONS.exec(String(definition)) ?? [];
  if (engine !== undefined)
    throw new ConfigError(`table ${name} has the engine ${engine}: exactly.once.enabled needs one with transactions`);
}

function positionTable(table: string): PositionTable<Connection> {
  const name = quoteTable({ quote }, table);
  const where = ({ connector, topic, partition }: Place) =>
    `connector = ${textLiteral(connector)} AND topic = ${textLiteral(topic)} AND \`partition\` = ${partition}`;
  return {
    async create(connection) {
      await connection.query(
        `CREATE TABLE IF NOT EXISTS ${name} (connector varchar(255), topic varchar(249), \`partition\` int,
         next_offset bigint NOT NULL, PRIMARY KEY (connector, topic, \`partition\`))
         ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
      );
    },
    async list(connection, connector) {
      const rows = await connection.query(
        `SELECT topic, \`partition\`, next_offset FROM ${name} WHERE connector = ${textLiteral(connector)}`,
      );
      return rows.map(([topic, partition, next]) => ({
        topic: String(topic),
        partition: Number(partition),
        next: BigInt(String(next)),
      }));
    },
    async lock(connection, place) {
      const values = `${textLiteral(place.connector)}, ${textLiteral(place.topic)}, ${place.partition}, -1`;
      await connection.query(
        `INSERT INTO ${name} VALUES (${values}) ON DUPLICATE KEY UPDATE next_offset = next_offset`,
      );
      const [[next = "-1"] = []] = await connection.query(
        `SELECT next_offset FROM ${name} WHERE ${where(place)} FOR UPDATE`,
      );
      return BigInt(String(next));
    },
    async move(connection, place, next) {
      await connection.query(`UPDATE ${name} SET next_offset = ${next} WHERE ${where(place)}`);
    },
  };
}
