import type { Logger } from "@headrace/sdk";
import { ConnectError } from "./errors.ts";
import type { OffsetsOwner, OffsetsTopics } from "./executor/offsets-topics.ts";
import { offsetTopicSettings } from "./internal-topics.ts";
import { connectorOffsetsConfig, readsCommittedOffsets, taskTransactionalId } from "./kafka/client-config.ts";
import { createTopicLog } from "./kafka/topic-log.ts";
import { createTransactionalWriter } from "./kafka/transactional-writer.ts";
import { isExactlyOnce } from "./offsets-place.ts";
import { createOffsetStore } from "./store/offset-store.ts";

/** Offsets topics of connectors for executors: the same store as the worker's, over another topic. */
export function createOffsetsTopics(log: Logger): OffsetsTopics {
  const settingsOf = (owner: OffsetsOwner) => connectorOffsetsConfig(owner).settings;
  return {
    async open(owner, topic, signal) {
      const settings = settingsOf(owner);
      const readCommitted = isExactlyOnce(owner.worker) || readsCommittedOffsets(owner);
      const wanted = { ...offsetTopicSettings(owner.worker), topic, property: "offsets.storage.topic" };
      const store = createOffsetStore(
        createTopicLog({ settings, topic: wanted, readCommitted, startsStable: true, log }),
        { log },
      );
      try {
        await store.start(signal);
      } catch (error) {
        await store.stop();
        throw error;
      }
      const { connector } = owner;
      return {
        read: (partitions, within) => store.read(connector, partitions, within),
        list: (within) => store.list(connector, within),
        encode: (offsets) => store.encode(connector, offsets),
        write: (offsets, within) => store.write(connector, offsets, within),
        stop: () => store.stop(),
      };
    },
    async writeInTransaction(owner, topic, records, signal) {
      if (records.length === 0) return;
      const transactionalId = taskTransactionalId(owner.worker, owner.connector, 0);
      const writer = createTransactionalWriter({ settings: settingsOf(owner), topic, transactionalId, log });
      try {
        await writer.claim(signal);
        await writer.append(records, signal);
      } catch (error) {
        if (error instanceof ConnectError) throw error;
        throw new ConnectError(
          "kafka",
          `Could not write the offsets of connector ${owner.connector}: ${String(error)}`,
          {
            cause: error,
          },
        );
      } finally {
        writer.close();
      }
    },
  };
}
