import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { createCluster, unlessAborted } from "./cluster.ts";
import { isConnectionError } from "./errors.ts";
import { type Broker, call, createErrorFromCode, Decoder, encodeWith } from "./kafkajs.ts";
import { retrying } from "./retry.ts";
import type { KafkaClientSettings } from "./settings.ts";

/** A partition of a topic, as a group's offsets name it. */
export interface GroupPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Changes committed offsets of a consumer group without being a member. Each rejects with a ConnectError: `conflict` if the group
 * has members, who would overwrite it.
 */
export interface GroupOffsets {
  alter(
    group: string,
    offsets: readonly (GroupPartition & { readonly offset: bigint })[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Partitions without a committed offset are fine; a group that is not there is not. */
  remove(group: string, partitions: readonly GroupPartition[], signal: AbortSignal): Promise<void>;
  /** Removes the group with all its offsets. One that is not there is fine. */
  removeGroup(group: string, signal: AbortSignal): Promise<void>;
  close(): void;
}

const OK = 0;
const GROUP_NOT_FOUND = 69;
/** ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, NON_EMPTY_GROUP, GROUP_SUBSCRIBED_TO_TOPIC */
const HAS_MEMBERS: ReadonlySet<number> = new Set([22, 25, 27, 68, 86]);
const OFFSET_DELETE = 47;
/** What makes a commit one of nobody. */
const NO_MEMBER = { memberId: "", groupGenerationId: -1 };

interface PartitionErrors {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
}

/** One request to the group's coordinator; `check` throws what its answer's error codes mean. */
interface Question<T> {
  readonly what: string;
  readonly group: string;
  readonly send: (broker: Broker) => Promise<T>;
  readonly check: (answer: T) => void;
}

/** Makes a client of its own; it connects with its first call. */
export function createGroupOffsets(settings: KafkaClientSettings, log: Logger): GroupOffsets {
  const cluster = createCluster(settings, log);

  async function ask<T>({ what, group, send, check }: Question<T>, signal: AbortSignal): Promise<void> {
    const action = async () => {
      const broker = await cluster.coordinator(group, signal);
      try {
        check(await unlessAborted(send(broker), signal));
      } catch (error) {
        if (isConnectionError(error)) cluster.forget(broker);
        throw error;
      }
    };
    await retrying({ what, backoff: settings, log }, action, signal);
  }

  const refuse = (group: string, errorCode: number, what: string): void => {
    if (errorCode === OK) return;
    if (HAS_MEMBERS.has(errorCode)) {
      throw new ConnectError("conflict", `Consumer group '${group}' has members, so that ${what} cannot be changed`);
    }
    if (errorCode === GROUP_NOT_FOUND) throw new ConnectError("not-found", `There is no consumer group '${group}'`);
    throw createErrorFromCode(errorCode);
  };
  const refuseAny = (group: string, topics: readonly PartitionErrors[]): void => {
    for (const { topic, partitions } of topics) {
      for (const { partition, errorCode } of partitions) {
        refuse(group, errorCode, `the offset of partition ${partition} of topic '${topic}'`);
      }
    }
  };

  return {
    alter(group, offsets, signal) {
      const topics = byTopic(offsets).map(([topic, own]) => ({
        topic,
        partitions: own.map(({ partition, offset }) => ({ partition, offset: offset.toString(), metadata: "" })),
      }));
      const request = { ...NO_MEMBER, groupId: group, topics };
      return ask(
        {
          what: `change the offsets of group '${group}'`,
          group,
          send: (broker) => call<{ readonly responses: readonly PartitionErrors[] }>(broker, "OffsetCommit", request),
          check: ({ responses }) => refuseAny(group, responses),
        },
        signal,
      );
    },
    remove: (group, partitions, signal) =>
      ask(
        {
          what: `remove offsets of group '${group}'`,
          group,
          send: (broker) => deleteOffsets(broker, group, partitions),
          check({ errorCode, topics }) {
            refuse(group, errorCode, "its offsets");
            refuseAny(group, topics);
          },
        },
        signal,
      ),
    removeGroup: (group, signal) =>
      ask<{ readonly results: readonly { readonly errorCode: number }[] }>(
        {
          what: `remove group '${group}'`,
          group,
          send: (broker) => call(broker, "DeleteGroups", [group]),
          check({ results }) {
            for (const { errorCode } of results) if (errorCode !== GROUP_NOT_FOUND) refuse(group, errorCode, "it");
          },
        },
        signal,
      ),
    close: () => cluster.close(),
  };
}

/** OffsetDelete, version 0, which kafkajs does not have (KIP-496). */
function deleteOffsets(
  broker: Broker,
  group: string,
  partitions: readonly GroupPartition[],
): Promise<{ readonly errorCode: number; readonly topics: readonly PartitionErrors[] }> {
  const request = encodeWith({ apiKey: OFFSET_DELETE, apiVersion: 0, apiName: "OffsetDelete" }, (encoder) => {
    encoder.writeString(group).writeInt32(byTopic(partitions).length);
    for (const [topic, own] of byTopic(partitions)) {
      encoder.writeString(topic).writeInt32(own.length);
      for (const { partition } of own) encoder.writeInt32(partition);
    }
  });
  return broker.connectionPool.send({
    request,
    response: {
      async decode(raw) {
        const decoder = new Decoder(raw);
        const errorCode = decoder.readInt16();
        decoder.readInt32(); // throttle time
        const topics = decoder.readArray((topic) => ({
          topic: topic.readString() ?? "",
          partitions: topic.readArray((own) => ({ partition: own.readInt32(), errorCode: own.readInt16() })),
        }));
        return { errorCode, topics };
      },
      parse: async (decoded) => decoded,
    },
  });
}

function byTopic<T extends GroupPartition>(partitions: readonly T[]): readonly (readonly [string, readonly T[]])[] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)];
}
