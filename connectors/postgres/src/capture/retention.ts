import type { SourceTaskContext } from "@headrace/sdk";
import { Acknowledged } from "./acknowledged.ts";
import type { ReplicationStream } from "./replication.ts";
import type { Settings } from "./settings.ts";

/** What PostgreSQL keeps of its log for the slot, and what it is told that it may forget. */
export class Retention {
  readonly #settings: Settings;
  readonly #log: SourceTaskContext["log"];
  #acknowledged = new Acknowledged();
  #serverEnd = 0n;
  #isAllowed: boolean;
  #isAlarmed = false;
  /** Entries of the offsets before something came that no offset has yet; null: there is nothing such. */
  #unsaved: string | null = null;

  /** `isAllowed`: as long as Kafka has no offset of the stream, a restart reads tables: the slot has to stay where it is. */
  constructor(settings: Settings, log: SourceTaskContext["log"], isAllowed: boolean) {
    this.#settings = settings;
    this.#log = log;
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

  /** Where the log of the server ends. */
  saw(end: bigint): void {
    if (end > this.#serverEnd) this.#serverEnd = end;
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

  /** Bytes of the log that are kept. */
  bytes(): number {
    const flushed = this.#acknowledged.flushed();
    return flushed > 0n && this.#serverEnd > flushed ? Number(this.#serverEnd - flushed) : 0;
  }

  /** Tells PostgreSQL what Kafka has, and raises the alarm where too much is kept; `replyNow` asks where the log ends. */
  tell(stream: ReplicationStream, replyNow = true): void {
    stream.acknowledge(this.#isAllowed ? this.#acknowledged.flushed() : 0n, replyNow);
    const isTooMuch = this.bytes() > this.#settings["slot.lag.alarm.bytes"];
    if (isTooMuch && !this.#isAlarmed) {
      const slot = this.#settings["slot.name"];
      this.#log.warn({ slot, bytes: this.bytes() }, "postgresql keeps much of its log for the slot");
    }
    this.#isAlarmed = isTooMuch;
  }
}
