import type { StringMap } from "@headrace/contract";

/** A connector's own limit of memory, MiB of its executor on each worker. */
export const MEMORY_LIMIT_KEY = "headrace.executor.memory.max.mb";
/** What an executor needs before anything runs in it, MiB. */
const LEAST_MB = 64;

/** What is wrong with the limit in a raw configuration; null if nothing is, or if none is given. */
export function memoryLimitFault(config: StringMap): string | null {
  const text = config[MEMORY_LIMIT_KEY];
  if (text === undefined || memoryLimitMb(config) !== null) return null;
  return `Invalid value ${text} for configuration ${MEMORY_LIMIT_KEY}: must be a whole number of MiB, at least ${LEAST_MB}, and no placeholder`;
}

/** The limit in a raw configuration, MiB; null if there is none that can be used. */
export function memoryLimitMb(config: StringMap): number | null {
  const text = config[MEMORY_LIMIT_KEY]?.trim() ?? "";
  const limit = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(limit) && limit >= LEAST_MB ? limit : null;
}
