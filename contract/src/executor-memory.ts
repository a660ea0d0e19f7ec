/** How much memory an executor may use, MiB: of a worker's configuration for each of them, of a connector's for its own. */
export const EXECUTOR_MEMORY_KEY = "headrace.executor.memory.max.mb";

/** What an executor needs before anything runs in it, MiB. */
export const LEAST_EXECUTOR_MEMORY_MB = 64;
