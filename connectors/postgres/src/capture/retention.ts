import { Acknowledged } from "./acknowledged.ts";
import type { ReplicationStream } from "./replication.ts";

/** What PostgreSQL is told that it may forget of its log. */
export class Retention {
  #acknowledged = new Acknowledged();
  #isAllowed: boolean;
  /** Entries of the offsets before something came that no offset has yet; null: there is nothing such. */
  #unsaved: string | null = null;

  /** `isAllowed`: as long as Kafka has no offset of the stream, a restart reads tables: the slot has to stay where it is. */
  constructor(isAllowed: boolean) {
    this.#isAllowed = isAllowed;
  }

  /** What was given before counts no more. */
  restart(): void {
    this.#acknowledged = new Acknowledged();
    this.#isAllowed = false;
    this.#unsaved = null;
  }

  isAllowed(): boolean {
    return this.#isAllowed;
  }

  allow(): void {
    this.#isAllowed = true;
  }

  give(count: number): void {
    if (count > 0) this.#unsaved = null;
    this.#acknowledged.give(count);
  }

  commit(count: number): void {
    this.#acknowledged.commit(count);
  }

  /** Whether Kafka has all that was given. */
  isComplete(): boolean {
    return this.#acknowledged.isComplete();
  }

  /** The stream had something that the next record's offset will say: until then it has to come again after a kill. */
  hold(entriesBefore: string): void {
    this.#unsaved ??= entriesBefore;
  }

  /** All up to this place was given, or is of no interest; `entries` are those of the next offset. */
  mark(lsn: bigint, entries: () => string): void {
    // It is over before there was a record: nothing of it is to be remembered.
    if (this.#unsaved !== null && this.#unsaved === entries()) this.#unsaved = null;
    if (this.#unsaved === null) this.#acknowledged.mark(lsn);
  }

  /** Tells PostgreSQL what Kafka has; `replyNow` asks where the log ends. */
  tell(stream: ReplicationStream, replyNow = true): void {
    stream.acknowledge(this.#isAllowed ? this.#acknowledged.flushed() : 0n, replyNow);
  }
}
