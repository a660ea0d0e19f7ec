import type { StringMap } from "@headrace/contract";
import type { ConnectorEntry } from "../store/stores.ts";

/**
 * True if a connector's freshly planned tasks have to be written (contract §2.5): their number differs, one of them differs, or the
 * connector's configuration is another than the one in force at the last commit, since converters, transforms and client overrides
 * are not part of a task's configuration (KAFKA-9228).
 */
export function needsCommit(entry: ConnectorEntry, planned: readonly StringMap[]): boolean {
  const { tasks, appliedConfig } = entry;
  if (tasks === null || tasks.length !== planned.length) return true;
  if (appliedConfig === null || !sameMap(appliedConfig, entry.config)) return true;
  return planned.some((config, index) => !sameMap(config, tasks[index] ?? {}));
}

/** Equal keys and values, in any order. */
export function sameMap(left: StringMap, right: StringMap): boolean {
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && left[key] === right[key]);
}
