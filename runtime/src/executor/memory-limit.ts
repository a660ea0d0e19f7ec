import { EXECUTOR_MEMORY_KEY, LEAST_EXECUTOR_MEMORY_MB, type StringMap } from "@headrace/contract";

/** What is wrong with the limit in a raw configuration; null if nothing is, or if none is given. */
export function memoryLimitFault(config: StringMap): string | null {
  const text = config[EXECUTOR_MEMORY_KEY];
  if (text === undefined || memoryLimitMb(config) !== null) return null;
  return `Invalid value ${text} for configuration ${EXECUTOR_MEMORY_KEY}: must be a whole number of MiB, at least ${LEAST_EXECUTOR_MEMORY_MB}, and no placeholder`;
}

/** The limit in a raw configuration, MiB; null if there is none that can be used. */
export function memoryLimitMb(config: StringMap): number | null {
  const text = config[EXECUTOR_MEMORY_KEY]?.trim() ?? "";
  const limit = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(limit) && limit >= LEAST_EXECUTOR_MEMORY_MB ? limit : null;
}
