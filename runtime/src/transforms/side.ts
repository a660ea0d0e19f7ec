import type { ConnectRecord, SchemaAndValue } from "@headrace/sdk";

/** Which half of a record a transform works on: Java's `X$Key` and `X$Value`. */
export interface Side {
  readonly name: "key" | "value";
  get(record: ConnectRecord): SchemaAndValue;
  with(record: ConnectRecord, data: SchemaAndValue): ConnectRecord;
}

export const KEY: Side = {
  name: "key",
  get: (record) => record.key,
  with: (record, key) => ({
    topic: record.topic,
    partition: record.partition,
    key,
    value: record.value,
    headers: record.headers,
    timestamp: record.timestamp,
    offset: record.offset,
  }),
};

export const VALUE: Side = {
  name: "value",
  get: (record) => record.value,
  with: (record, value) => ({
    topic: record.topic,
    partition: record.partition,
    key: record.key,
    value,
    headers: record.headers,
    timestamp: record.timestamp,
    offset: record.offset,
  }),
};

/** The Java class name of a transform's variant. */
export function javaName(transform: string, side: Side): string {
  return `org.apache.kafka.connect.transforms.${transform}$${side === KEY ? "Key" : "Value"}`;
}
