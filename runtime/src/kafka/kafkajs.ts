/// <reference path="./kafkajs-internals.d.ts" />
import brokerClass from "kafkajs/src/broker/index.js";
import saslOauthBearer from "kafkajs/src/broker/saslAuthenticator/oauthBearer.js";
import saslPlain from "kafkajs/src/broker/saslAuthenticator/plain.js";
import saslScram256 from "kafkajs/src/broker/saslAuthenticator/scram256.js";
import saslScram512 from "kafkajs/src/broker/saslAuthenticator/scram512.js";
import errorsModule from "kafkajs/src/errors.js";
import loggersModule from "kafkajs/src/loggers/index.js";
import connectionPoolClass from "kafkajs/src/network/connectionPool.js";
import requestQueueClass from "kafkajs/src/network/requestQueue/index.js";
import decoderClass from "kafkajs/src/protocol/decoder.js";
import encoderClass from "kafkajs/src/protocol/encoder.js";
import protocolErrorModule from "kafkajs/src/protocol/error.js";
import compressionModule from "kafkajs/src/protocol/message/compression/index.js";
import messageSetDecoder from "kafkajs/src/protocol/messageSet/decoder.js";
import recordBatchDecoder from "kafkajs/src/protocol/recordBatch/v0/decoder.js";
import apiKeyNumbers from "kafkajs/src/protocol/requests/apiKeys.js";
import fetchV11 from "kafkajs/src/protocol/requests/fetch/v11/request.js";
import protocolRequests from "kafkajs/src/protocol/requests/index.js";

/**
 * The one door to kafkajs 2.2.4: the parts of it that we use, its internals included, with hand-written types.
 *
 * We stand on its wire protocol, its connections and its authentication. Its Cluster, producer and consumer are not used: they
 * retry on their own terms, refuse a whole answer for one bad partition, and hide empty and control batches.
 */

/** One request with the way to read its answer. `parse` turns error codes in the answer into exceptions. */
export interface ProtocolRequest<Decoded, Result = Decoded> {
  readonly request: object;
  readonly response: {
    decode(raw: Buffer): Promise<Decoded>;
    parse(decoded: Decoded): Promise<Result>;
  };
  readonly requestTimeout?: number;
}

export interface ProtocolDefinition {
  readonly versions: readonly string[];
}

export interface Connection {
  isConnected(): boolean;
}

export interface ConnectionPool {
  readonly host: string;
  readonly port: number;
  readonly pool: readonly Connection[];
  /** Connection 0 carries everything but fetches, which have connection 1 for themselves. Connects it if needed. */
  getConnection(index: number): Promise<Connection>;
  send<Decoded, Result>(request: ProtocolRequest<Decoded, Result>): Promise<Result>;
}

export interface JoinGroupRequest {
  readonly groupId: string;
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  /** "" for a new member; the answer is then MEMBER_ID_REQUIRED with the id to join with. */
  readonly memberId: string;
  readonly protocolType: string;
  readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
}

export interface JoinGroupResponse {
  readonly generationId: number;
  readonly groupProtocol: string;
  readonly leaderId: string;
  readonly memberId: string;
  /** Filled for the leader only. */
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
}

export interface SyncGroupRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
}

export interface DescribedGroup {
  readonly groupId: string;
  readonly state: string;
  readonly protocolType: string;
  readonly protocol: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly clientId: string;
    readonly clientHost: string;
    readonly memberMetadata: Buffer;
    readonly memberAssignment: Buffer;
  }[];
}

/** A Kafka node as kafkajs calls it. Every call rejects with a kafkajs error, see `errors.ts`. */
export interface Broker {
  readonly connectionPool: ConnectionPool;
  isConnected(): boolean;
  connect(): Promise<void>;
  /** The highest version of a request that both sides speak. */
  lookupRequest<Options, Decoded, Result>(
    apiKey: number,
    definition: ProtocolDefinition,
  ): (options: Options) => ProtocolRequest<Decoded, Result>;
  findGroupCoordinator(request: {
    readonly groupId: string;
    /** 0 group, 1 transaction. */
    readonly coordinatorType?: number;
  }): Promise<{ readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number } }>;
  syncGroup(request: SyncGroupRequest): Promise<{ readonly memberAssignment: Buffer }>;
  heartbeat(request: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
  }): Promise<unknown>;
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
  describeGroups(request: {
    readonly groupIds: readonly string[];
  }): Promise<{ readonly groups: readonly DescribedGroup[] }>;
}

export interface SocketFactoryArguments {
  readonly host: string;
  readonly port: number;
  readonly ssl: object | null;
  readonly onConnect: () => void;
}

/** What kafkajs gives to whoever authenticates one of its connections. */
export interface SaslArguments {
  readonly host: string;
  readonly port: number;
  readonly logger: KafkaJsLogger;
  readonly saslAuthenticate: (exchange: object) => Promise<unknown>;
}

export interface SaslOptions {
  readonly mechanism: string;
  readonly authenticationProvider: (given: SaslArguments) => { authenticate(): Promise<void> };
}

export interface ConnectionPoolOptions {
  readonly host: string;
  readonly port: number;
  readonly ssl: object | null;
  readonly sasl: SaslOptions | null;
  readonly clientId: string;
  readonly socketFactory: (destination: SocketFactoryArguments) => unknown;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
  /** A connection authenticates again so long before the broker ends its session. */
  readonly reauthenticationThreshold: number;
  readonly maxInFlightRequests: number | null;
  readonly logger: KafkaJsLogger;
}

export interface KafkaJsLogger {
  namespace(name: string): KafkaJsLogger;
}

export interface KafkaJsLogEntry {
  readonly namespace: string;
  readonly label: string;
  readonly log: { readonly message: string } & Readonly<Record<string, unknown>>;
}

export interface Decoder {
  readonly buffer: Buffer;
  readInt8(): number;
  readInt16(): number;
  readInt32(): number;
  readInt64(): { toString(): string };
  readString(): string | null;
  readBytes(size?: number): Buffer;
  readArray<T>(read: (decoder: Decoder) => T): T[];
  readArrayAsync<T>(read: (decoder: Decoder) => Promise<T>): Promise<T[]>;
  canReadBytes(size: number): boolean;
}

export interface DecodedRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface DecodedRecordBatch {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly producerId: string;
  readonly records: readonly DecodedRecord[];
}

export interface CompressionCodec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

export const Broker: new (options: {
  readonly connectionPool: ConnectionPool;
  readonly logger: KafkaJsLogger;
  readonly nodeId?: number;
  readonly allowAutoTopicCreation: boolean;
  readonly authenticationTimeout: number;
}) => Broker = brokerClass;

export const ConnectionPool: new (options: ConnectionPoolOptions) => ConnectionPool = connectionPoolClass;

export const Decoder: new (buffer: Buffer) => Decoder = decoderClass;

export interface Encoder {
  writeInt32(value: number): Encoder;
  writeString(value: string): Encoder;
}

const Encoder: new () => Encoder = encoderClass;

/** A request that kafkajs does not know, with the body that `write` gives it. */
export function encodeWith(
  header: { readonly apiKey: number; readonly apiVersion: number; readonly apiName: string },
  write: (encoder: Encoder) => void,
): object {
  return {
    ...header,
    encode: async () => {
      const encoder = new Encoder();
      write(encoder);
      return encoder;
    },
  };
}

/** Reads one record batch (magic 2). Throws KafkaJSPartialMessageError for a cut one. */
export const decodeRecordBatch: (decoder: Decoder) => Promise<DecodedRecordBatch> = recordBatchDecoder;

/** Reads messages of the formats before record batches (magic 0 and 1). */
export const decodeMessageSet: (decoder: Decoder, size: number) => Promise<readonly DecodedRecord[]> =
  messageSetDecoder;

/** Encodes a Fetch request of version 11, the newest that kafkajs speaks. */
export const fetchRequestV11: (options: {
  readonly replicaId: number;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}) => object = fetchV11;

type Api =
  | "Produce"
  | "ListOffsets"
  | "Metadata"
  | "CreateTopics"
  | "DescribeConfigs"
  | "OffsetFetch"
  | "OffsetCommit"
  | "DeleteGroups"
  | "InitProducerId"
  | "AddPartitionsToTxn"
  | "EndTxn"
  | "JoinGroup";

const protocol: { readonly requests: Readonly<Record<Api, ProtocolDefinition>> } = protocolRequests;
export const { requests } = protocol;
export const apiKeys: Readonly<Record<Api, number>> = apiKeyNumbers;

/**
 * Sends a request in the highest version that both sides speak and returns the decoded answer, error codes and all: kafkajs
 * would throw for the first of them. `Decoded` is the shape that kafkajs's decoder of that request makes.
 */
export async function call<Decoded>(broker: Broker, api: Api, options: object): Promise<Decoded> {
  const lookup = broker.lookupRequest<object, Decoded, Decoded>(apiKeys[api], requests[api]);
  const { request, response, requestTimeout } = lookup(options);
  return broker.connectionPool.send({
    request,
    response: { decode: (raw) => response.decode(raw), parse: async (decoded) => decoded },
    ...(requestTimeout !== undefined && { requestTimeout }),
  });
}

const protocolErrors: { readonly createErrorFromCode: (code: number) => Error } = protocolErrorModule;
/** The exception that kafkajs has for an error code of the protocol. */
export const { createErrorFromCode } = protocolErrors;

type SaslProvider<Credentials> = (
  credentials: Credentials,
) => (given: SaslArguments) => { authenticate(): Promise<void> };
type PasswordProvider = SaslProvider<{ readonly username: string; readonly password: string }>;

/** kafkajs's implementations of SASL mechanisms. */
export const saslProviders: {
  readonly plain: PasswordProvider;
  readonly "scram-sha-256": PasswordProvider;
  readonly "scram-sha-512": PasswordProvider;
  readonly oauthbearer: SaslProvider<{
    readonly oauthBearerProvider: () => Promise<{ readonly value: string; readonly extensions: object }>;
  }>;
} = {
  plain: saslPlain,
  "scram-sha-256": saslScram256,
  "scram-sha-512": saslScram512,
  oauthbearer: saslOauthBearer,
};

const errors: { readonly KafkaJSRequestTimeoutError: new (message: string) => Error } = errorsModule;

/** kafkajs's own error for a request that was not answered in time. */
export function createTimeoutError(message: string): Error {
  return new errors.KafkaJSRequestTimeoutError(message);
}

const loggers: {
  readonly createLogger: (options: {
    readonly level: number;
    readonly logCreator: () => (entry: KafkaJsLogEntry) => void;
  }) => KafkaJsLogger;
  readonly LEVELS: { readonly WARN: number };
} = loggersModule;
export const { createLogger, LEVELS } = loggers;

const compression: { readonly Codecs: Record<number, () => CompressionCodec> } = compressionModule;
/** Codecs by the number that record batches carry. */
export const compressionCodecs = compression.Codecs;

const RequestQueue: { readonly prototype: RequestQueue } = requestQueueClass;

// Its queue schedules a check after every answer, with a negative time if nothing is queued: Node then prints a
// TimeoutNegativeWarning. Nothing is to be checked in that case.
const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function scheduleIfPending(this: RequestQueue) {
  if (this.pending.length > 0) schedule.call(this);
};
