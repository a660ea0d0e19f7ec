import type { SinkRecord, TopicPartition, TopicPartitionOffset } from "@headrace/sdk";
import type { PositionTable } from "./sink-database.ts";

/** The positions of a sink in the very database that it writes: they are changed by the transactions that write the rows. */
export interface StoredOffsets<C> {
  create(connection: C): Promise<void>;
  read(connection: C, partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]>;
  /**
   * Within a transaction: what of a batch has not been written yet, and the new positions. Locks the positions, so that a second task with
   * the same partitions waits and then finds its records written.
   */
  advance(connection: C, records: readonly SinkRecord[]): Promise<readonly SinkRecord[]>;
}

/** The positions of one connector. */
export function createStoredOffsets<C>(table: PositionTable<C>, connector: string): StoredOffsets<C> {
  return {
    create: (connection) => table.create(connection),
    async read(connection, partitions) {
      const stored = await table.list(connection, connector);
      return stored
        .filter((row) => partitions.some((each) => each.topic === row.topic && each.partition === row.partition))
        .map(({ topic, partition, next }) => ({ topic, partition, offset: next }));
    },
    async advance(connection, records) {
      const ends = new Map<string, TopicPartitionOffset>();
      for (const { original } of records) {
        ends.set(`${original.topic} ${original.partition}`, { ...original, offset: original.offset + 1n });
      }
      const fresh = new Map<string, bigint>();
      // In one order everywhere, so that two tasks cannot wait for one another.
      for (const [id, { topic, partition, offset }] of [...ends].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
        const place = { connector, topic, partition };
        const next = await table.lock(connection, place);
        fresh.set(id, next);
        if (offset > next) await table.move(connection, place, offset);
      }
      return records.filter(
        ({ original: { topic, partition, offset } }) => offset >= (fresh.get(`${topic} ${partition}`) ?? -1n),
      );
    },
  };
}
