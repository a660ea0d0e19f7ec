import type { ConnectorOffset, SinkLag } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { NewSinkOffset, SinkOffset, SinkProgress } from "../executor/channel.ts";

/** A sink's position as REST shows it (KIP-875). */
export function toConnectorOffset({ topic, partition, offset }: SinkOffset): ConnectorOffset {
  return {
    partition: { kafka_topic: topic, kafka_partition: partition },
    offset: { kafka_offset: offset <= Number.MAX_SAFE_INTEGER ? Number(offset) : offset },
  };
}

/** How far a sink is behind, as `/headrace/connectors/{c}/lag` shows it. */
export function toSinkLag({ group, partitions }: SinkProgress): SinkLag {
  return {
    group,
    partitions: partitions.map(({ topic, partition, offset, end }) => {
      return { topic, partition, offset: String(offset), end: end === null ? null : String(end) };
    }),
  };
}

/** An entry of a PATCH request as it was sent: nothing of it is certain. */
export interface RequestedOffset {
  readonly partition: Readonly<Record<string, unknown>> | null;
  readonly offset: Readonly<Record<string, unknown>> | null;
}

/** Reads a sink's new position. Throws the contract's 400 (§5.5). Numbers may be texts. */
export function readSinkOffset({ partition, offset }: RequestedOffset): NewSinkOffset {
  if (partition === null) throw refusal("The partition for a sink connector offset cannot be null or missing");
  if (!Object.hasOwn(partition, TOPIC) || !Object.hasOwn(partition, PARTITION)) {
    throw refusal(`The partition for a sink connector offset must contain the keys '${TOPIC}' and '${PARTITION}'`);
  }
  const topic = partition[TOPIC];
  if (topic === null) throw refusal("Kafka topic names must be valid strings and may not be null");
  if (partition[PARTITION] === null) throw refusal("Kafka partitions must be valid numbers and may not be null");
  const number = toInteger(partition[PARTITION]);
  if (number === null || number > INT_MAX) throw notInteger("partition", "Partition", partition[PARTITION]);
  const place = { topic: String(topic), partition: Number(number) };
  if (offset === null) return { ...place, offset: null };
  if (!Object.hasOwn(offset, OFFSET)) {
    throw refusal(`The offset for a sink connector should either be null or contain the key '${OFFSET}'`);
  }
  const position = toInteger(offset[OFFSET]);
  if (position === null || position > LONG_MAX) throw notInteger("offset", "Offset", offset[OFFSET]);
  if (position < 0n)
    throw new ConnectError("internal", `The offset of a sink connector cannot be negative: ${position}`);
  return { ...place, offset: position };
}

const TOPIC = "kafka_topic";
const PARTITION = "kafka_partition";
const OFFSET = "kafka_offset";
const INT_MAX = 2n ** 31n - 1n;
const LONG_MAX = 2n ** 63n - 1n;
const INTEGER = /^[+-]?\d+$/;

function toInteger(value: unknown): bigint | null {
  const text = typeof value === "object" ? "" : String(value);
  return INTEGER.test(text) ? BigInt(text.replace(/^\+/, "")) : null;
}

function notInteger(what: string, What: string, value: unknown): ConnectError {
  return refusal(
    `Failed to parse the following Kafka ${what} value in the provided offsets: '${value}'. ` +
      `${What} values for sink connectors need to be integers.`,
  );
}

function refusal(message: string): ConnectError {
  return new ConnectError("bad-request", message);
}
