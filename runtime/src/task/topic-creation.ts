import type { StringMap } from "@headrace/contract";
import { ConfigError, config as keys } from "@headrace/sdk";

/** How a topic is created: the settings of the group it belongs to. */
export interface TopicSettings {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** Settings for a topic name. */
export type TopicCreation = (topic: string) => TopicSettings;

const PREFIX = "topic.creation.";
const DEFAULT = "default";
/** Keys of a group that are not topic settings. */
const OWN_KEYS: ReadonlySet<string> = new Set(["include", "exclude", "partitions", "replication.factor"]);

/**
 * The `topic.creation.*` part of a source connector's configuration; null if it has none, so that topics are left to the broker.
 * The first group in declared order that includes a topic and does not exclude it wins, otherwise the default group (contract §7.1).
 * Throws ConfigError. Source: KIP-158, TopicCreationConfig.
 */
export function parseTopicCreation(config: StringMap): TopicCreation | null {
  const names = keys.splitList(config[`${PREFIX}groups`]).filter((name) => name !== DEFAULT);
  const hasDefault = Object.keys(config).some((key) => key.startsWith(`${PREFIX}${DEFAULT}.`));
  if (names.length === 0 && !hasDefault) return null;
  const fallback = parseSettings(config, DEFAULT, null);
  const groups = names.map((name) => {
    const include = parsePatterns(config, name, "include");
    if (include.length === 0) {
      throw new ConfigError(`Missing required configuration "${PREFIX}${name}.include" which has no default value.`);
    }
    return {
      include,
      exclude: parsePatterns(config, name, "exclude"),
      settings: parseSettings(config, name, fallback),
    };
  });
  return (topic) => {
    const matches = (patterns: readonly RegExp[]) => patterns.some((pattern) => pattern.test(topic));
    return groups.find((group) => matches(group.include) && !matches(group.exclude))?.settings ?? fallback;
  };
}

function parsePatterns(config: StringMap, group: string, key: "include" | "exclude"): readonly RegExp[] {
  const name = `${PREFIX}${group}.${key}`;
  return keys.splitList(config[name]).map((text) => {
    try {
      return keys.fullMatch(text);
    } catch (cause) {
      throw new ConfigError(`Invalid value ${text} for configuration ${name}: Invalid regex`, { cause });
    }
  });
}

function parseSettings(config: StringMap, group: string, fallback: TopicSettings | null): TopicSettings {
  const prefix = `${PREFIX}${group}.`;
  const configs: Record<string, string> = { ...fallback?.configs };
  for (const [key, value] of Object.entries(config)) {
    if (key.startsWith(prefix) && !OWN_KEYS.has(key.slice(prefix.length))) configs[key.slice(prefix.length)] = value;
  }
  return {
    partitions: parseCount(config, `${prefix}partitions`, fallback?.partitions ?? null),
    replicationFactor: parseCount(config, `${prefix}replication.factor`, fallback?.replicationFactor ?? null),
    configs,
  };
}

/** At least 1, or -1 for the broker's default. */
function parseCount(config: StringMap, name: string, fallback: number | null): number {
  const text = config[name]?.trim();
  if (text === undefined) {
    if (fallback !== null) return fallback;
    throw new ConfigError(`Missing required configuration "${name}" which has no default value.`);
  }
  const count = Number(text);
  if (!Number.isInteger(count) || count > 2 ** 31 - 1 || (count < 1 && count !== -1)) {
    throw new ConfigError(`Invalid value ${text} for configuration ${name}: Value must be at least 1, or -1`);
  }
  return count;
}
