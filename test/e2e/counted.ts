/** What has become of the records of a source that numbers them in several sequences. */
export interface Count {
  /** Distinct numbers. */
  readonly distinct: number;
  /** Records that came once more. */
  readonly repeated: number;
  /** Numbers that never came, though a higher one of their sequence did or the source has their acknowledgement. */
  readonly missing: readonly number[];
}

/**
 * Counts numbers of sequences, of which each sequence `s` of n has s, s + n, s + 2 × n, … `acknowledged` is how many numbers of each sequence its
 * source knows to be written.
 */
export function count(numbers: readonly number[], acknowledged: readonly number[]): Count {
  const streams = acknowledged.length;
  const distinct = new Set(numbers);
  const lengths = [...acknowledged];
  for (const number of distinct) {
    const stream = number % streams;
    lengths[stream] = Math.max(lengths[stream] ?? 0, Math.floor(number / streams) + 1);
  }
  const missing = lengths.flatMap((length, stream) =>
    Array.from({ length }, (_, index) => stream + index * streams).filter((number) => !distinct.has(number)),
  );
  return { distinct: distinct.size, repeated: numbers.length - distinct.size, missing };
}
