import type { KafkaConnectorStatus, SinkLag, StringMap } from "@headrace/contract";
import { hideSecrets } from "../hidden-secrets.ts";
import type { OffsetEntry } from "./offsets-json.ts";

/** How far a connector has come, as its status shows it. */
export type OffsetsSummary = NonNullable<KafkaConnectorStatus["offsets"]>;

type Entry = NonNullable<OffsetsSummary["entries"]>[number];

/** Entries that are shown at most. */
const MAX_ENTRIES = 10;
const MAX_TEXT = 256;

/** Of a sink: those that are furthest behind first. A partition that is gone has no lag. */
export function summarizeLag({ group, partitions }: SinkLag, nowMs: number): OffsetsSummary {
  const known = partitions.map(({ topic, partition, offset, end }) => {
    const lag = end === null ? null : toNumber(BigInt(end) - BigInt(offset));
    return { partition: `${topic}-${partition}`, offset, lag };
  });
  const entries = known
    .toSorted((a, b) => (b.lag ?? -1) - (a.lag ?? -1) || (a.partition < b.partition ? -1 : 1))
    .map(({ lag, ...entry }): Entry => (lag === null ? entry : { ...entry, lag }));
  const lags = known.flatMap(({ lag }) => (lag === null ? [] : [lag]));
  return {
    group,
    ...summary(entries, nowMs),
    lag: lags.reduce((sum, lag) => sum + lag, 0),
    maxLag: lags.reduce((most, lag) => Math.max(most, lag), 0),
  };
}

/** Of any connector: what it has committed. Values of settings that are secret, and what looks like a secret, are hidden. */
export function summarizeOffsets(offsets: readonly OffsetEntry[], config: StringMap, nowMs: number): OffsetsSummary {
  const entries = offsets
    .map(({ partition, offset }) => ({
      partition: shown(placeOf(partition), config),
      offset: shown(typeof offset?.["kafka_offset"] === "number" ? String(offset["kafka_offset"]) : offset, config),
    }))
    .toSorted((a, b) => (a.partition < b.partition ? -1 : 1));
  return summary(entries, nowMs);
}

/** The summary with the time of the former one if nothing else has changed, so that it is not written again. */
export function keepTime(found: OffsetsSummary, former: OffsetsSummary | undefined): OffsetsSummary {
  const isSame = JSON.stringify({ ...found, observedAt: "" }) === JSON.stringify({ ...former, observedAt: "" });
  return isSame && former !== undefined ? former : found;
}

function summary(entries: readonly Entry[], nowMs: number): OffsetsSummary {
  return {
    partitions: entries.length,
    entries: entries.slice(0, MAX_ENTRIES),
    observedAt: new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z"),
  };
}

/** A partition of Kafka in its usual form, topic and number. */
function placeOf(partition: OffsetEntry["partition"]): unknown {
  const { kafka_topic: topic, kafka_partition: number } = partition;
  return typeof topic === "string" && typeof number === "number" ? `${topic}-${number}` : partition;
}

function shown(value: unknown, config: StringMap): string {
  const text = hideSecrets(typeof value === "string" ? value : JSON.stringify(value), config);
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}

/** A status has no numbers beyond 2^53. A group may be ahead of a topic that was made anew: then it is not behind. */
function toNumber(lag: bigint): number {
  if (lag < 0n) return 0;
  return Number(lag > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : lag);
}
