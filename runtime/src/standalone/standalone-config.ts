import { type ParsedWorkerConfig, parseWorkerConfig, type StringMap } from "@headrace/contract";
import { type ConfigSource, checkConfig, type LoadedConfig } from "../config.ts";

/** Keys of distributed mode that mean nothing here (contract §6.3, §13); they are accepted and not used, as in Java. */
const DISTRIBUTED_ONLY = [
  "group.id",
  "config.storage.",
  "status.storage.",
  "offset.storage.topic",
  "offset.storage.partitions",
  "offset.storage.replication.factor",
  "exactly.once.source.support",
  "connect.protocol",
  "inter.worker.",
  "scheduled.rebalance.max.delay.ms",
  "session.timeout.ms",
  "heartbeat.interval.ms",
  "rebalance.timeout.ms",
] as const;

/** Names of what stands in for the group and its topics; nobody sees them. */
const STAND_INS = {
  "group.id": "standalone",
  "config.storage.topic": "standalone-configs",
  "offset.storage.topic": "standalone-offsets",
  "status.storage.topic": "standalone-status",
} as const;

const OFFSET_FILE = "offset.storage.file.filename";

/** A worker's configuration for standalone mode. */
export interface StandaloneConfig extends LoadedConfig {
  readonly offsetFile: string;
}

/** Checks a worker's properties for standalone mode. Rejects with InvalidConfigError, which has every problem. */
export async function checkStandaloneConfig(
  { file, properties }: ConfigSource,
  env: StringMap,
  signal: AbortSignal,
): Promise<StandaloneConfig> {
  const kept = Object.entries(properties).filter(
    ([key]) => !DISTRIBUTED_ONLY.some((own) => (own.endsWith(".") ? key.startsWith(own) : key === own)),
  );
  const loaded = await checkConfig({ file, properties: Object.fromEntries(kept) }, env, parse, signal);
  return { ...loaded, offsetFile: loaded.properties[OFFSET_FILE]?.trim() ?? "" };
}

function parse(properties: StringMap): ParsedWorkerConfig {
  const parsed = parseWorkerConfig({ ...properties, ...STAND_INS });
  const given = properties[OFFSET_FILE] ?? null;
  if ((given?.trim() ?? "") !== "") return parsed;
  const problem = {
    key: OFFSET_FILE,
    value: given,
    expected: "is required: the file in which source offsets are kept",
  };
  return { kind: "invalid", problems: [...(parsed.kind === "invalid" ? parsed.problems : []), problem] };
}
