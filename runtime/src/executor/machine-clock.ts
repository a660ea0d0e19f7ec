/**
 * Milliseconds of the machine's monotonic clock (Linux: CLOCK_MONOTONIC). Unlike `performance.now()`, whose origin is the start of the
 * process, it reads the same in the worker and in its executors.
 */
export function machineClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
