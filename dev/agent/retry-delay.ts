/** The wait after `failures` failed tries in a row: short at first, since what a new pod names often exists a moment later. */
export function retryDelayMs(failures: number): number {
  return Math.min(100 * 2 ** (failures - 1), 2000);
}

/** Failures before this one are not worth telling: the node authorizer learns of a new pod at the same time as the node does. */
export const TOLD_FAILURES = 3;
