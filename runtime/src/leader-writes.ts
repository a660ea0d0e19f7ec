import type { LoadedConfig } from "./config.ts";
import { leaderTransactionalId, workerClientConfig } from "./kafka/client-config.ts";
import { createTransactionalWriter } from "./kafka/transactional-writer.ts";
import type { Logger } from "./log.ts";
import { createPrivilegedWrites, type PrivilegedWrites } from "./store/privileged-writes.ts";

/**
 * The leader's transactional writes to the config topic, once exactly-once support is prepared (contract §2.3, §7.2); null while it is
 * disabled. `preparing` is for the time in which some workers still write without.
 */
export function createLeaderWrites(
  { config, properties, log }: Pick<LoadedConfig, "config" | "properties"> & { readonly log: Logger },
  confirmLeader: (signal: AbortSignal) => Promise<void>,
): PrivilegedWrites | null {
  if (config["exactly.once.source.support"] === "disabled") return null;
  const writer = createTransactionalWriter({
    settings: workerClientConfig(properties, "configs-leader").settings,
    topic: config["config.storage.topic"],
    transactionalId: leaderTransactionalId(properties),
    log,
  });
  return createPrivilegedWrites({ writer, confirmLeader, log });
}
