import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { toAccessError } from "./access-error.ts";
import { registerCodecs } from "./compression.ts";
import { connectSocket, tlsOptions } from "./connection.ts";
import { isConnectionError } from "./errors.ts";
import {
  Broker,
  ConnectionPool,
  call,
  createErrorFromCode,
  createLogger,
  createTimeoutError,
  LEVELS,
} from "./kafkajs.ts";
import { saslOptions } from "./sasl.ts";
import type { KafkaClientSettings } from "./settings.ts";

/** A topic as one broker knows it. `errorCode` 0 is well; 3 is unknown topic, 5 no leader. */
export interface TopicMetadata {
  readonly errorCode: number;
  readonly partitions: readonly { readonly partition: number; readonly errorCode: number; readonly leader: number }[];
}

/** What a broker knows of its cluster. */
export interface ClusterMetadata {
  readonly clusterId: string;
  readonly controllerId: number;
  /** One entry per topic that was asked for. */
  readonly topics: ReadonlyMap<string, TopicMetadata>;
}

interface MetadataResponse {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly partitionMetadata: readonly {
      readonly partitionErrorCode: number;
      readonly partitionId: number;
      readonly leader: number;
    }[];
  }[];
}

/**
 * Connections to the brokers of one Kafka cluster, made on demand.
 *
 * Guarantees: nothing is retried in here; a broker returned was connected and authenticated a moment ago; after `forget` its
 * sockets are gone and its pending requests have failed. Requests that wait at the broker (join, sync, fetch) hold up the others
 * on their connection, so each long-lived user has a cluster of its own.
 */
export interface KafkaCluster {
  /** The first broker that can be reached. Rejects with the last failure if there is none. */
  any(signal: AbortSignal): Promise<Broker>;
  /** A broker by the address that Kafka advertises. */
  at(address: { readonly host: string; readonly port: number }, signal: AbortSignal): Promise<Broker>;
  /** A broker by its id. Rejects with BROKER_NOT_AVAILABLE if the last `metadata` or `topic` call did not name it. */
  node(nodeId: number, signal: AbortSignal): Promise<Broker>;
  /** Asks any broker who coordinates the group and connects to that one. */
  coordinator(groupId: string, signal: AbortSignal): Promise<Broker>;
  /** Asks any broker who coordinates the transactions of a transactional id and connects to that one. */
  transactionCoordinator(transactionalId: string, signal: AbortSignal): Promise<Broker>;
  /** Asks any broker for topics; an empty list means all. Never creates one; error codes are not turned into exceptions. */
  metadata(topics: readonly string[], signal: AbortSignal): Promise<ClusterMetadata>;
  /** Asks any broker for a topic; never creates it. Error codes in the answer are not turned into exceptions. */
  topic(topic: string, signal: AbortSignal): Promise<TopicMetadata>;
  /** Drops a broker's connections; the next use makes new ones. */
  forget(broker: Broker): void;
  /** Drops all connections at once. Requests in flight fail. */
  close(): void;
}

interface Entry {
  readonly broker: Broker;
  readonly sockets: Set<{ destroy(error: Error): unknown }>;
  /** One connect at a time: kafkajs would open two sockets for one connection. */
  connecting: Promise<void> | null;
}

/** Enough for a request on its way. kafkajs's ten seconds would make connections with short sessions authenticate before every request. */
const REAUTHENTICATION_MS = 2_000;
/** A broker that is restarting is named as a leader, but is not among the brokers; later metadata has it again. */
const BROKER_NOT_AVAILABLE = 8;
/** What a FindCoordinator request asks for. */
const TRANSACTIONS = 1;

/** Makes a cluster; nothing is connected yet. */
export function createCluster(settings: KafkaClientSettings, log: Logger): KafkaCluster {
  registerCodecs();
  const entries = new Map<string, Entry>();
  const nodes = new Map<number, { readonly host: string; readonly port: number }>();
  let closed = false;
  let nextSeed = 0;

  const logger = createLogger({
    level: LEVELS.WARN,
    logCreator:
      () =>
      ({ namespace, log: { message, ...fields } }) =>
        log.debug({ ...fields, source: `kafkajs.${namespace}`, detail: message }, "kafka client message"),
  });

  function entryOf(host: string, port: number): Entry {
    const key = `${host}:${port}`;
    const known = entries.get(key);
    if (known !== undefined) return known;
    const sockets: Entry["sockets"] = new Set();
    const pool = new ConnectionPool({
      host,
      port,
      ssl: settings.tls === null ? null : tlsOptions(settings.tls),
      sasl: settings.sasl === null ? null : saslOptions(settings.sasl),
      clientId: settings.clientId,
      socketFactory: (destination) => {
        const socket = connectSocket(destination);
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        return socket;
      },
      connectionTimeout: settings.connectionTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      enforceRequestTimeout: true,
      reauthenticationThreshold: REAUTHENTICATION_MS,
      maxInFlightRequests: null,
      logger,
    });
    const broker = new Broker({
      connectionPool: pool,
      logger,
      allowAutoTopicCreation: false,
      authenticationTimeout: settings.connectionTimeoutMs,
    });
    const entry: Entry = { broker, sockets, connecting: null };
    entries.set(key, entry);
    return entry;
  }

  function drop(entry: Entry, reason: string): void {
    for (const [key, known] of entries) if (known === entry) entries.delete(key);
    for (const socket of entry.sockets) socket.destroy(new Error(reason));
  }

  async function connect(entry: Entry): Promise<void> {
    try {
      await entry.broker.connect();
      await entry.broker.connectionPool.getConnection(0);
    } catch (error) {
      drop(entry, "connect failed");
      throw toAccessError(error, entry.broker.connectionPool, settings);
    }
  }

  async function at(
    { host, port }: { readonly host: string; readonly port: number },
    signal: AbortSignal,
  ): Promise<Broker> {
    signal.throwIfAborted();
    if (closed) throw new ConnectError("kafka", "The Kafka client is closed");
    const entry = entryOf(host, port);
    if (isReady(entry)) return entry.broker;
    entry.connecting ??= connect(entry).finally(() => {
      entry.connecting = null;
    });
    await unlessAborted(entry.connecting, signal);
    return entry.broker;
  }

  async function any(signal: AbortSignal): Promise<Broker> {
    for (const entry of entries.values()) if (isReady(entry)) return entry.broker;
    let failure: unknown = new ConnectError("kafka", "No Kafka broker is known; bootstrap.servers is empty");
    const seeds = settings.brokers.map(
      (_, index) => settings.brokers[(nextSeed + index) % settings.brokers.length] ?? "",
    );
    nextSeed += 1;
    const candidates = [...nodes.values(), ...seeds.map(parseAddress)];
    for (const address of candidates) {
      try {
        return await at(address, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  async function using<T>(signal: AbortSignal, request: (broker: Broker) => Promise<T>): Promise<T> {
    const broker = await any(signal);
    try {
      return await unlessAborted(request(broker), signal);
    } catch (error) {
      if (isConnectionError(error)) forget(broker);
      throw error;
    }
  }

  async function metadata(topics: readonly string[], signal: AbortSignal): Promise<ClusterMetadata> {
    const response = await using(signal, (broker) =>
      call<MetadataResponse>(broker, "Metadata", { topics, allowAutoTopicCreation: false }),
    );
    nodes.clear();
    for (const { nodeId, host, port } of response.brokers) nodes.set(nodeId, { host, port });
    return {
      clusterId: response.clusterId ?? "",
      controllerId: response.controllerId,
      topics: new Map(
        response.topicMetadata.map(({ topic, topicErrorCode, partitionMetadata }) => [
          topic,
          {
            errorCode: topicErrorCode,
            partitions: partitionMetadata
              .map(({ partitionId: partition, partitionErrorCode: errorCode, leader }) => ({
                partition,
                errorCode,
                leader,
              }))
              .sort((a, b) => a.partition - b.partition),
          },
        ]),
      ),
    };
  }

  function forget(broker: Broker): void {
    for (const entry of entries.values()) if (entry.broker === broker) drop(entry, "connection dropped");
  }

  return {
    any,
    at,
    async node(nodeId, signal) {
      const address = nodes.get(nodeId);
      if (address === undefined) throw createErrorFromCode(BROKER_NOT_AVAILABLE);
      return at(address, signal);
    },
    async coordinator(groupId, signal) {
      const { coordinator } = await using(signal, (broker) => broker.findGroupCoordinator({ groupId }));
      return at(coordinator, signal);
    },
    async transactionCoordinator(transactionalId, signal) {
      const { coordinator } = await using(signal, (broker) =>
        broker.findGroupCoordinator({ groupId: transactionalId, coordinatorType: TRANSACTIONS }),
      );
      return at(coordinator, signal);
    },
    metadata,
    async topic(topic, signal) {
      const { topics } = await metadata([topic], signal);
      return topics.get(topic) ?? { errorCode: 3, partitions: [] };
    },
    forget,
    close() {
      closed = true;
      for (const entry of [...entries.values()]) drop(entry, "client closed");
    },
  };
}

/** While it connects, a broker has a connection but does not yet know which requests it may send. */
function isReady({ broker, connecting }: Entry): boolean {
  return connecting === null && broker.connectionPool.pool[0]?.isConnected() === true;
}

/** Splits `host:port`; an IPv6 address stands in brackets. */
export function parseAddress(server: string): { readonly host: string; readonly port: number } {
  const colon = server.lastIndexOf(":");
  const host = server.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const port = Number(server.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65535) {
    throw new ConnectError("config-invalid", `Invalid url in bootstrap.servers: ${server}`);
  }
  return { host, port };
}

/** Settles as `promise` does, or rejects as soon as `signal` aborts. What `promise` does later is ignored. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => {});
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** As {@link unlessAborted}, and rejects with a request time-out, which counts as a failure of the connection. */
export async function within<T>(timeoutMs: number, promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(createTimeoutError(`No answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await unlessAborted(Promise.race([promise, expired]), signal);
  } finally {
    clearTimeout(timer);
  }
}
