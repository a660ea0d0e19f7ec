/**
 * Which place of the write-ahead log PostgreSQL may forget up to: nothing beyond what Kafka has acknowledged (invariant 1).
 *
 * Records are counted as they are given and as Kafka has them, which happens in the same order. A mark says: once all records given so far are
 * in Kafka, everything up to this place is done with.
 */
export class Acknowledged {
  #given = 0;
  #committed = 0;
  #marks: { readonly given: number; readonly lsn: bigint }[] = [];
  #flushed = 0n;

  /** Records that are on their way to Kafka from now on. */
  give(count: number): void {
    this.#given += count;
  }

  /** Everything up to this place was given, or is of no interest. */
  mark(lsn: bigint): void {
    if (this.#marks.at(-1)?.given === this.#given) this.#marks.pop();
    this.#marks.push({ given: this.#given, lsn });
    this.#advance();
  }

  /** Kafka has so many more, or they were skipped for good. */
  commit(count: number): void {
    this.#committed += count;
    this.#advance();
  }

  /** Whether Kafka has all that was given. */
  isComplete(): boolean {
    return this.#committed >= this.#given;
  }

  /** PostgreSQL may forget what lies before this place. */
  flushed(): bigint {
    return this.#flushed;
  }

  #advance(): void {
    let count = 0;
    for (const { given, lsn } of this.#marks) {
      if (given > this.#committed) break;
      if (lsn > this.#flushed) this.#flushed = lsn;
      count += 1;
    }
    this.#marks = this.#marks.slice(count);
  }
}
