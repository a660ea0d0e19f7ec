import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { pause } from "../pause.ts";
import type { TopicAdmin } from "./topic-admin.ts";

/** One of the worker's three topics (contract §2.1). */
export interface InternalTopic {
  readonly topic: string;
  /** The worker property that names it. */
  readonly property: string;
  /** What it holds, for messages: "connector configurations". */
  readonly purpose: string;
  /** Wanted when it is created; -1: the broker's default. */
  readonly partitions: number;
  /** Whether it must have exactly one partition, whoever created it. */
  readonly singlePartition: boolean;
  readonly replicationFactor: number;
  /** More topic settings; the cleanup policy is always compact. */
  readonly configs: Readonly<Record<string, string>>;
}

/** Kafka needs a moment until a new topic is known everywhere. */
const LOOKUP_TIMEOUT_MS = 30_000;

/**
 * Creates the topic if it is missing and checks it otherwise. Rejects with `config-invalid` if it is not compacted only, or has
 * more partitions than it may have: the cluster's state would get lost.
 */
export async function ensureInternalTopic(
  admin: TopicAdmin,
  wanted: InternalTopic,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { topic, property, purpose } = wanted;
  if ((await admin.partitions(topic, signal)) === null) {
    const outcome = await admin.createTopic(
      {
        topic,
        partitions: wanted.partitions,
        replicationFactor: wanted.replicationFactor,
        configs: { ...wanted.configs, "cleanup.policy": "compact" },
      },
      signal,
    );
    if (outcome === "created") log.info({ topic, property }, "topic created");
    if (outcome === "forbidden") log.warn({ topic, property }, "not allowed to create the topic, it must be there");
  }
  const partitions = await waitForPartitions(admin, wanted, signal);
  if (wanted.singlePartition && partitions !== 1) {
    throw new ConnectError(
      "config-invalid",
      `Topic '${topic}' supplied via the '${property}' property is required to have a single partition in order to ` +
        `guarantee consistency of ${purpose}, but found ${partitions} partitions.`,
    );
  }
  await checkCleanupPolicy(admin, wanted, log, signal);
}

async function waitForPartitions(admin: TopicAdmin, { topic, property }: InternalTopic, signal: AbortSignal) {
  const deadline = AbortSignal.timeout(LOOKUP_TIMEOUT_MS);
  const limited = AbortSignal.any([signal, deadline]);
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    const partitions = await admin.partitions(topic, limited);
    if (partitions !== null && partitions > 0) return partitions;
    if (limited.aborted) {
      signal.throwIfAborted();
      throw new ConnectError("kafka", `Topic '${topic}' of property '${property}' did not appear in time`);
    }
    await pause(pauseMs, limited);
  }
}

async function checkCleanupPolicy(
  admin: TopicAdmin,
  { topic, property, purpose }: InternalTopic,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const policy = await admin.topicConfig(topic, "cleanup.policy", signal);
  if (policy === null) {
    log.warn({ topic, property }, "cannot read the topic's cleanup policy, it should be compact");
    return;
  }
  if (policy.trim() === "compact") return;
  throw new ConnectError(
    "config-invalid",
    `Topic '${topic}' supplied via the '${property}' property is required to have 'cleanup.policy=compact' to guarantee ` +
      `consistency and durability of ${purpose}, but found the topic currently has 'cleanup.policy=${policy}'. Going on would ` +
      `sooner or later lose ${purpose}. Change the topic, or name another one in '${property}'.`,
  );
}
