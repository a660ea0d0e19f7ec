import type { SinkRecord, TopicPartition, TopicPartitionOffset } from "@headrace/sdk";
import type { Client } from "pg";
import { quoteTable } from "./connection.ts";

/** The positions of a sink in the very database that it writes: they are changed by the transactions that write the rows. */
export interface StoredOffsets {
  create(client: Client): Promise<void>;
  read(client: Client, partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]>;
  /**
   * Within a transaction: what of a batch has not been written yet, and the new positions. Locks the positions, so that a second task with
   * the same partitions waits and then finds its records written.
   */
  advance(client: Client, records: readonly SinkRecord[]): Promise<readonly SinkRecord[]>;
}

export function createStoredOffsets(table: string, connector: string): StoredOffsets {
  const name = quoteTable(table);
  return {
    async create(client) {
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${name} (connector text, topic text, partition integer, next_offset bigint NOT NULL,
         PRIMARY KEY (connector, topic, partition))`,
      );
    },
    async read(client, partitions) {
      const { rows } = await client.query<{ topic: string; partition: number; next_offset: string }>(
        `SELECT topic, partition, next_offset FROM ${name} WHERE connector = $1`,
        [connector],
      );
      return rows
        .filter((row) => partitions.some((each) => each.topic === row.topic && each.partition === row.partition))
        .map(({ topic, partition, next_offset }) => ({ topic, partition, offset: BigInt(next_offset) }));
    },
    async advance(client, records) {
      const ends = new Map<string, TopicPartitionOffset>();
      for (const { original } of records) {
        ends.set(`${original.topic} ${original.partition}`, { ...original, offset: original.offset + 1n });
      }
      const fresh = new Map<string, bigint>();
      // In one order everywhere, so that two tasks cannot wait for one another.
      for (const [id, end] of [...ends].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
        const place = [connector, end.topic, end.partition];
        await client.query(`INSERT INTO ${name} VALUES ($1, $2, $3, -1) ON CONFLICT DO NOTHING`, place);
        const locked = await client.query<{ next_offset: string }>(
          `SELECT next_offset FROM ${name} WHERE connector = $1 AND topic = $2 AND partition = $3 FOR UPDATE`,
          place,
        );
        const next = BigInt(locked.rows[0]?.next_offset ?? -1);
        fresh.set(id, next);
        if (end.offset <= next) continue;
        await client.query(
          `UPDATE ${name} SET next_offset = $4 WHERE connector = $1 AND topic = $2 AND partition = $3`,
          [...place, String(end.offset)],
        );
      }
      return records.filter(
        ({ original: { topic, partition, offset } }) => offset >= (fresh.get(`${topic} ${partition}`) ?? -1n),
      );
    },
  };
}
