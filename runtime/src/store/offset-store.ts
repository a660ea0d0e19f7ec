import type { Logger, OffsetMap } from "@headrace/sdk";
import { parseJson, toJson } from "../json.ts";
import type { LogRecord, NewRecord, TopicLog } from "../kafka/topic-log.ts";
import { canonicalPartition, decodeOffsetKey, encodeOffsetKey, readOffsetMap } from "./offset-key.ts";
import type { OffsetStore } from "./stores.ts";

/** An offset under the very key bytes that it was stored with. */
interface StoredOffset {
  readonly key: Buffer;
  readonly offset: OffsetMap;
  readonly timestampMs: number;
}

/** A source partition. Its map may have been written with its entries in more than one order; each is a key of its own to Kafka. */
interface KnownPartition {
  readonly partition: OffsetMap;
  /** By key bytes, the latest read last. Never empty. */
  readonly stored: Map<string, StoredOffset>;
}

/** Makes the offset store over its topic (contract §3). */
export function createOffsetStore(topic: TopicLog, { log }: { readonly log: Logger }): OffsetStore {
  /** Connector → canonical partition → what is stored. */
  const connectors = new Map<string, Map<string, KnownPartition>>();

  function apply({ key, value, timestampMs, partition, offset }: LogRecord): void {
    const decoded = key === null ? null : decodeOffsetKey(key);
    if (key === null || decoded === null) {
      log.warn({ partition, offset: String(offset) }, "record of the offsets topic ignored: the key is malformed");
      return;
    }
    const known = connectors.get(decoded.connector) ?? new Map<string, KnownPartition>();
    const canonical = canonicalPartition(decoded.partition);
    const entry = known.get(canonical) ?? { partition: decoded.partition, stored: new Map() };
    const bytes = key.toString("latin1");
    const parsed = parseOffset(value);
    if (parsed === undefined) {
      log.warn({ partition, offset: String(offset) }, "record of the offsets topic ignored: the value is malformed");
      return;
    }
    entry.stored.delete(bytes);
    if (parsed !== null) entry.stored.set(bytes, { key: Buffer.from(key), offset: parsed, timestampMs });
    if (entry.stored.size > 0) known.set(canonical, entry);
    else known.delete(canonical);
    if (known.size > 0) connectors.set(decoded.connector, known);
    else connectors.delete(decoded.connector);
  }

  function find(connector: string, partition: OffsetMap): KnownPartition | undefined {
    return connectors.get(connector)?.get(canonicalPartition(partition));
  }

  /** Updates and tombstones go to the bytes that are in the topic already; only a new partition gets bytes of our making. */
  function encodeOne(connector: string, partition: OffsetMap, offset: OffsetMap | null): readonly NewRecord[] {
    const known = find(connector, partition);
    if (known === undefined) return [{ key: encodeOffsetKey(connector, partition), value: toValue(offset) }];
    if (offset === null) return [...known.stored.values()].map(({ key }) => ({ key, value: null }));
    return [{ key: latest(known).key, value: toValue(offset) }];
  }

  const encode: OffsetStore["encode"] = (connector, offsets) =>
    offsets.flatMap(({ partition, offset }) => encodeOne(connector, partition, offset));

  return {
    start: (signal) =>
      topic.start((records) => {
        for (const record of records) apply(record);
      }, signal),
    async read(connector, partitions, signal) {
      await topic.readToEnd(signal);
      return partitions.map((partition) => {
        const known = find(connector, partition);
        return known === undefined ? null : latest(known).offset;
      });
    },
    async list(connector, signal) {
      await topic.readToEnd(signal);
      const known = [...(connectors.get(connector)?.values() ?? [])];
      return known.map((entry) => ({ partition: entry.partition, offset: latest(entry).offset }));
    },
    async write(connector, offsets, signal) {
      await topic.append(encode(connector, offsets), null, signal);
    },
    encode,
    stop: () => topic.stop(),
  };
}

/** Different keys may lie in different partitions of the topic, where only time orders them. */
function latest({ stored }: KnownPartition): StoredOffset {
  const [first, ...others] = stored.values();
  if (first === undefined) throw new Error("a known partition without an offset");
  return others.reduce((best, next) => (next.timestampMs >= best.timestampMs ? next : best), first);
}

function toValue(offset: OffsetMap | null): Buffer | null {
  return offset === null ? null : Buffer.from(toJson(offset));
}

/** null for a tombstone, undefined for what is no offset. */
function parseOffset(value: Buffer | null): OffsetMap | null | undefined {
  if (value === null) return null;
  try {
    const parsed = parseJson(value.toString());
    return parsed === null ? null : (readOffsetMap(parsed) ?? undefined);
  } catch {
    return undefined;
  }
}
