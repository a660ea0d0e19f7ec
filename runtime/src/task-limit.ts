import type { StringMap } from "@headrace/contract";

/**
 * How many tasks a connector may have (KIP-1004). Configurations are resolved: `tasks.max` may be a placeholder. The texts are those of
 * org.apache.kafka.connect.runtime.TooManyTasksException.
 */

/** The bound given to the connector when it plans its tasks; 1 for what is no positive number. */
export function maxTasks(config: StringMap): number {
  const value = Number(config["tasks.max"] ?? 1);
  return Number.isInteger(value) && value >= 1 ? value : 1;
}

/** The message of a connector that planned more tasks than it may (KIP-1004); null if all is well. */
export function tooManyTasks(connector: string, config: StringMap, planned: number): string | null {
  const max = maxTasks(config);
  const enforced = (config["tasks.max.enforce"] ?? "true").trim().toLowerCase() !== "false";
  if (!enforced || planned <= max) return null;
  return (
    `The connector ${connector} has generated ${planned} tasks, which is greater than ${max}, ` +
    "the maximum number of tasks it is configured to create. "
  );
}
