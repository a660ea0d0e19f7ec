import type { GroupClient } from "../kafka/group-client.ts";
import type { TopicLog } from "../kafka/topic-log.ts";
import type { GivenConnector } from "./connector-files.ts";
import { createMemoryLog } from "./memory-log.ts";
import { createOffsetBacking } from "./offset-backing.ts";
import { createSoloGroup } from "./solo-group.ts";

/** What makes a worker one of standalone mode. */
export interface StandaloneOptions {
  readonly offsetFile: string;
  /** Created once the worker has started; the first that fails ends it. */
  readonly connectors: readonly GivenConnector[];
}

/** What stands in for Kafka's topics and groups, behind the same interfaces: everything above them is that of distributed mode. */
export interface Standalone {
  readonly log: (purpose: "configs" | "offsets" | "statuses") => TopicLog;
  readonly group: GroupClient;
  /** In statuses, as in Java. */
  readonly generation: 0;
}

/** Makes them; nothing is read before the logs are started. */
export function createStandalone(options: StandaloneOptions, wallClock: () => number): Standalone {
  return {
    log: (purpose) =>
      purpose === "offsets"
        ? createMemoryLog(wallClock, createOffsetBacking(options.offsetFile))
        : createMemoryLog(wallClock),
    group: createSoloGroup("standalone"),
    generation: 0,
  };
}
