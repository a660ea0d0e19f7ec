import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { createCluster, type KafkaCluster, unlessAborted } from "./cluster.ts";
import { isConnectionError } from "./errors.ts";
import { type Broker, call, createErrorFromCode } from "./kafkajs.ts";
import { createLeaders } from "./leaders.ts";
import { listOffsets } from "./list-offsets.ts";
import { retrying } from "./retry.ts";
import type { KafkaClientSettings } from "./settings.ts";

/** Numbers of -1 leave it to the broker. */
export interface NewTopic {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
}

export interface GroupDescription {
  /** Kafka's name of it: Stable, Empty, PreparingRebalance, CompletingRebalance, Dead. */
  readonly state: string;
  readonly members: readonly { readonly memberId: string; readonly clientId: string; readonly clientHost: string }[];
}

/**
 * What executors and the worker ask of a Kafka cluster besides records. Every call repeats what fails for a passing reason until its
 * signal aborts, and rejects with a ConnectError that says what was being done.
 */
export interface TopicAdmin {
  clusterId(signal: AbortSignal): Promise<string>;
  /** "created"; "exists" if it was there already; "forbidden" if we may not create it, so that it must be there. */
  createTopic(topic: NewTopic, signal: AbortSignal): Promise<"created" | "exists" | "forbidden">;
  /** Number of partitions, or null if there is no such topic. */
  partitions(topic: string, signal: AbortSignal): Promise<number | null>;
  /** Names of all topics that we may see. */
  topics(signal: AbortSignal): Promise<readonly string[]>;
  /** A setting of a topic; null if it is not known or may not be read. */
  topicConfig(topic: string, name: string, signal: AbortSignal): Promise<string | null>;
  /** First or next offset of each partition. */
  offsets(topic: string, at: "earliest" | "latest", signal: AbortSignal): Promise<ReadonlyMap<number, bigint>>;
  /** Committed offsets of a consumer group, by topic and partition. */
  groupOffsets(
    group: string,
    signal: AbortSignal,
  ): Promise<readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[]>;
  describeGroup(group: string, signal: AbortSignal): Promise<GroupDescription>;
  /** Takes a member out of a group at once. A member that is not there is fine. */
  removeGroupMember(group: string, memberId: string, signal: AbortSignal): Promise<void>;
  /** Fences the producer that has this transactional id, if there is one, and aborts what it has open. */
  fenceProducer(transactionalId: string, signal: AbortSignal): Promise<void>;
  close(): void;
}

const CREATE_TIMEOUT_MS = 30_000;
/** Transaction time-out of a producer that only fences and never has a transaction. */
const FENCE_TRANSACTION_MS = 10_000;
const TOPIC_RESOURCE = 2;
const OK = 0;
const UNKNOWN_TOPIC = 3;
const TOPIC_FORBIDDEN = 29;
const CLUSTER_FORBIDDEN = 31;
const ALREADY_EXISTS = 36;

interface CreateTopicsResponse {
  readonly topicErrors: readonly { readonly errorCode: number; readonly errorMessage?: string | null }[];
}

interface DescribeConfigsResponse {
  readonly resources: readonly {
    readonly errorCode: number;
    readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[];
  }[];
}

interface OffsetFetchResponse {
  readonly errorCode?: number;
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly errorCode: number }[];
  }[];
}

/** Makes an admin client; it connects with its first call. */
export function createTopicAdmin(settings: KafkaClientSettings, log: Logger): TopicAdmin {
  const cluster = createCluster(settings, log);

  async function attempt<T>(what: string, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
    return retrying({ what, backoff: settings, log }, action, signal);
  }

  async function asking<T>(broker: Broker, request: Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await unlessAborted(request, signal);
    } catch (error) {
      if (isConnectionError(error)) cluster.forget(broker);
      throw error;
    }
  }

  return {
    clusterId: (signal) =>
      attempt("read Kafka's cluster id", signal, async () => {
        const { clusterId } = await cluster.metadata(["__consumer_offsets"], signal);
        return clusterId;
      }),
    createTopic: ({ topic, partitions, replicationFactor, configs }, signal) =>
      attempt(`create topic '${topic}'`, signal, async () => {
        const broker = await controller(cluster, topic, signal);
        const request = call<CreateTopicsResponse>(broker, "CreateTopics", {
          topics: [
            {
              topic,
              numPartitions: partitions,
              replicationFactor,
              configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
            },
          ],
          timeout: CREATE_TIMEOUT_MS,
        });
        const { topicErrors } = await asking(broker, request, signal);
        const { errorCode = OK, errorMessage = null } = topicErrors[0] ?? {};
        switch (errorCode) {
          case OK:
            return "created";
          case ALREADY_EXISTS:
            return "exists";
          case TOPIC_FORBIDDEN:
          case CLUSTER_FORBIDDEN:
            return "forbidden";
          default:
            throw refusal(errorCode, `Could not create topic '${topic}'`, errorMessage);
        }
      }),
    partitions: (topic, signal) =>
      attempt(`look up topic '${topic}'`, signal, async () => {
        const { errorCode, partitions } = await cluster.topic(topic, signal);
        if (errorCode === UNKNOWN_TOPIC) return null;
        if (errorCode !== OK) throw createErrorFromCode(errorCode);
        return partitions.length;
      }),
    topics: (signal) =>
      attempt("list topics", signal, async () => [...(await cluster.metadata([], signal)).topics.keys()]),
    topicConfig: (topic, name, signal) =>
      attempt(`read the configuration of topic '${topic}'`, signal, async () => {
        const broker = await cluster.any(signal);
        const request = call<DescribeConfigsResponse>(broker, "DescribeConfigs", {
          resources: [{ type: TOPIC_RESOURCE, name: topic, configNames: [name] }],
        });
        const { resources } = await asking(broker, request, signal);
        const { errorCode = OK, configEntries = [] } = resources[0] ?? {};
        if (errorCode === TOPIC_FORBIDDEN || errorCode === CLUSTER_FORBIDDEN) return null;
        if (errorCode !== OK) throw createErrorFromCode(errorCode);
        return configEntries.find(({ configName }) => configName === name)?.configValue ?? null;
      }),
    offsets: (topic, at, signal) =>
      attempt(`read the ${at} offsets of topic '${topic}'`, signal, async () => {
        const leaders = createLeaders(cluster, topic);
        await leaders.refresh(signal);
        const partitions = leaders.partitions();
        return listOffsets({ cluster, leaders, topic, partitions, at, readCommitted: false }, signal);
      }),
    groupOffsets: (group, signal) =>
      attempt(`read the offsets of group '${group}'`, signal, async () => {
        const broker = await cluster.coordinator(group, signal);
        // No topics means all of them.
        const request = call<OffsetFetchResponse>(broker, "OffsetFetch", { groupId: group, topics: [] });
        const { errorCode = OK, responses } = await asking(broker, request, signal);
        if (errorCode !== OK) throw createErrorFromCode(errorCode);
        return responses.flatMap(({ topic, partitions }) =>
          partitions.map(({ partition, offset, errorCode: failed }) => {
            if (failed !== OK) throw createErrorFromCode(failed);
            return { topic, partition, offset: BigInt(offset) };
          }),
        );
      }),
    describeGroup: (group, signal) =>
      attempt(`describe group '${group}'`, signal, async () => {
        const broker = await cluster.coordinator(group, signal);
        const { groups } = await asking(broker, broker.describeGroups({ groupIds: [group] }), signal);
        const [found] = groups;
        if (found === undefined) throw new ConnectError("kafka", `Kafka did not describe group '${group}'`);
        return {
          state: found.state,
          members: found.members.map(({ memberId, clientId, clientHost }) => ({ memberId, clientId, clientHost })),
        };
      }),
    removeGroupMember: (group, memberId, signal) =>
      attempt(`remove a member from group '${group}'`, signal, async () => {
        const broker = await cluster.coordinator(group, signal);
        try {
          await asking(broker, broker.leaveGroup({ groupId: group, memberId }), signal);
        } catch (error) {
          if (!(error instanceof Error && "type" in error && error.type === "UNKNOWN_MEMBER_ID")) throw error;
        }
      }),
    fenceProducer: (transactionalId, signal) =>
      attempt(`fence producers of transactional id '${transactionalId}'`, signal, async () => {
        const broker = await cluster.transactionCoordinator(transactionalId, signal);
        const request = call<{ readonly errorCode: number }>(broker, "InitProducerId", {
          transactionalId,
          transactionTimeout: FENCE_TRANSACTION_MS,
        });
        const { errorCode } = await asking(broker, request, signal);
        if (errorCode !== OK) throw createErrorFromCode(errorCode);
      }),
    close: () => cluster.close(),
  };
}

/** The node that carries out changes. In KRaft mode any broker passes them on. */
async function controller(cluster: KafkaCluster, topic: string, signal: AbortSignal): Promise<Broker> {
  const { controllerId } = await cluster.metadata([topic], signal);
  return controllerId < 0 ? cluster.any(signal) : cluster.node(controllerId, signal);
}

/** Kafka's error, with the explanation that came with it. Retriable ones stay what they are. */
function refusal(errorCode: number, what: string, detail: string | null): Error {
  const error = createErrorFromCode(errorCode);
  if (detail === null || detail === "" || ("retriable" in error && error.retriable === true)) return error;
  return new ConnectError("kafka", `${what}: ${detail}`, { cause: error });
}
