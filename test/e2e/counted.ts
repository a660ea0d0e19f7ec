/** What has become of the records of a source that numbers them in several sequences. */
export interface Count {
  /** Distinct numbers. */
  readonly distinct: number;
  /** Records that came once more. */
  readonly repeated: number;
  /** Numbers below the highest of their sequence that never came. */
  readonly missing: readonly number[];
}

/** Counts numbers of which each sequence `s` has s, s + `streams`, s + 2 × `streams`, … */
export function count(numbers: readonly number[], streams: number): Count {
  const distinct = new Set(numbers);
  const highest = new Map<number, number>();
  for (const number of distinct) {
    const stream = number % streams;
    highest.set(stream, Math.max(number, highest.get(stream) ?? -1));
  }
  const missing = [...highest].flatMap(([stream, last]) =>
    Array.from({ length: Math.floor(last / streams) + 1 }, (_, index) => stream + index * streams).filter(
      (number) => !distinct.has(number),
    ),
  );
  return { distinct: distinct.size, repeated: numbers.length - distinct.size, missing };
}
