/** How long to wait between attempts. Times are milliseconds. */
export interface BackOff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * The pause after `failures` failures in a row: doubles from `baseMs` up to `maxMs`, then a random part of up to half is
 * taken off, so that many that failed together do not come back together. No failures, no pause.
 */
export function backOffMs({ baseMs, maxMs }: BackOff, failures: number, random: () => number): number {
  if (failures <= 0) return 0;
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 52));
  return Math.round(ceiling * (1 - random() / 2));
}
