/** A row that was read, until it is known whether the stream has a newer one. */
export interface ChunkRow<T> {
  /** The key as a text, the same for the same key. */
  readonly key: string;
  readonly row: T;
}

/**
 * Rows that were read beside the stream, and wait for it to pass the place of the log at which they were read. What the stream changes
 * meanwhile is taken out: its events say more. Source: Andreakis and Papapanagiotou, "DBLog: A Watermark Based Change-Data-Capture Framework".
 */
export class Window<T> {
  readonly #rows: Map<string, T>;
  readonly #until: bigint;

  /** `until`: all that the rows have seen lies before it. */
  constructor(rows: readonly ChunkRow<T>[], until: bigint) {
    this.#rows = new Map(rows.map(({ key, row }) => [key, row]));
    this.#until = until;
  }

  /** The stream has an event of this key; null: of all rows. */
  changed(key: string | null): void {
    if (key === null) this.#rows.clear();
    else this.#rows.delete(key);
  }

  /** Whether the stream has passed all that the rows have seen. */
  isOver(passed: bigint): boolean {
    return passed >= this.#until;
  }

  /** What is left, in the order of reading. */
  rows(): readonly T[] {
    return [...this.#rows.values()];
  }
}

/** How many transactions are remembered. */
const REMEMBERED = 16_384;
/** How far ahead of a snapshot's end a transaction may be. Numbers go round: what seems farther ahead has ended long ago. */
const AHEAD = 2 ** 20;

/**
 * Transactions that the stream has given lately. One can be in the stream a moment before others see what it has done, or for longer, while
 * it waits for a synchronous standby: rows that were read in between would be older than its events.
 */
export class SeenTransactions {
  readonly #seen = new Set<number>();

  /** `xid` as the stream has it: 32 bits. */
  add(xid: number): void {
    this.#seen.add(xid);
    if (this.#seen.size <= REMEMBERED) return;
    for (const oldest of this.#seen) {
      this.#seen.delete(oldest);
      break;
    }
  }

  /** Whether all of them are visible in a snapshot, given as the text `xmin:xmax:xip,…` of PostgreSQL's pg_snapshot. */
  areVisibleIn(snapshot: string): boolean {
    const [, end = "0", running = ""] = snapshot.split(":");
    const xmax = Number(BigInt(end) & 0xffff_ffffn);
    const open = running === "" ? [] : running.split(",").map((xid) => Number(BigInt(xid) & 0xffff_ffffn));
    if (open.some((xid) => this.#seen.has(xid))) return false;
    for (const xid of this.#seen) if ((xid - xmax) >>> 0 < AHEAD) return false;
    return true;
  }
}
