import type { SourceRecord, SourceTaskContext } from "@headrace/sdk";
import type { Client } from "pg";
import type { BlockingSnapshot } from "../blocking/blocking-snapshot.ts";
import type { IncrementalSnapshot } from "../incremental/incremental-snapshot.ts";
import type { Signals } from "../signals/signals.ts";
import type { TypeCatalog } from "../types/pg-type.ts";
import type { Changes } from "./changes.ts";
import { describeRelation } from "./database.ts";
import { isCaptured } from "./filter.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { unknownToDeletions } from "./message-key.ts";
import type { Message, Relation } from "./pgoutput.ts";
import type { Frame, ReplicationStream } from "./replication.ts";
import type { Retention } from "./retention.ts";
import type { Settings } from "./settings.ts";

export interface FollowerOptions {
  readonly settings: Settings;
  readonly types: TypeCatalog;
  readonly log: SourceTaskContext["log"];
  readonly database: string;
  readonly stream: ReplicationStream;
  readonly changes: Changes;
  /** For questions to the catalog, chunks of incremental snapshots, and the heartbeat's query. */
  readonly control: Client;
  readonly retention: Retention;
  readonly incremental: IncrementalSnapshot;
  readonly blocking: BlockingSnapshot;
  readonly signals: Signals;
  readonly heartbeat: Heartbeat;
  /** Takes records in the order of the stream. */
  readonly push: (records: readonly SourceRecord[]) => void;
}

/** Longest wait while rows of a snapshot wait for the stream. */
const CHUNK_WAIT_MS = 20;

/** Makes records of what the stream of a slot brings, and of the rows that are read beside it. */
export class Follower {
  readonly #options: FollowerOptions;
  /** The signal table, as the stream numbers it. */
  #signalRelation: number | null = null;
  /** The beginning of a transaction that has to wait for a blocking snapshot. */
  #held: Frame | null = null;
  /** All transactions that commit before this place were given. */
  #place = 0n;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Takes what is there, up to about `limit` records; waits for the first for `waitMs`. */
  async next(limit: number, waitMs: number, signal: AbortSignal): Promise<void> {
    const { database, changes, control, retention, stream, incremental, blocking, heartbeat, push } = this.#options;
    if (!changes.isInTransaction() && blocking.isUnprepared()) await blocking.prepare(database, signal);
    if (blocking.isDue(this.#place)) {
      await blocking.read(limit, (row) => push([changes.standing(row)]), signal);
    } else {
      await incremental.advance(control);
      // A quiet server says where it is when it is asked.
      if (this.#isWaiting()) retention.tell(stream);
      await this.#follow(limit, waitMs, signal);
    }
    if (!heartbeat.isDue(performance.now())) return;
    push([changes.standing(heartbeat.record(Date.now()))]);
    const sql = this.#options.settings["heartbeat.action.query"];
    if (sql !== "") await control.query(sql);
  }

  /** Whether rows that were read, or are to be, wait for the stream. */
  #isWaiting(): boolean {
    const { incremental, blocking } = this.#options;
    return incremental.isWaiting() || blocking.isWaiting();
  }

  async #follow(limit: number, waitMs: number, signal: AbortSignal): Promise<void> {
    const { stream, changes, retention, blocking } = this.#options;
    let given = 0;
    let waited = false;
    while (given < limit) {
      if (!changes.isInTransaction() && (blocking.isUnprepared() || blocking.isDue(this.#place))) return;
      const frame = this.#held ?? stream.read();
      this.#held = null;
      if (frame === null) {
        if (waited || given > 0 || signal.aborted) return;
        await stream.ready(this.#isWaiting() ? Math.min(waitMs, CHUNK_WAIT_MS) : waitMs, signal);
        waited = true;
        continue;
      }
      if (frame.kind === "message") {
        if (frame.message.kind === "begin") this.#place = frame.message.commitLsn;
        if (blocking.isDue(this.#place)) this.#held = frame;
        else {
          const taken = this.#take(frame.lsn, frame.message);
          given += typeof taken === "number" ? taken : await taken;
        }
        continue;
      }
      if (!changes.isInTransaction()) {
        changes.skipTo(frame.end);
        given += this.#passed(frame.end);
      }
      if (frame.replyNow) retention.tell(stream, false);
    }
  }

  /** One message of the stream; gives the number of records. Only what asks the database takes its time. */
  #take(lsn: bigint, message: Message): number | Promise<number> {
    const { changes, incremental, push } = this.#options;
    if (message.kind === "relation") return this.#describe(message.relation).then(() => 0);
    if (message.kind === "begin") incremental.passed(message.xid);
    if (message.kind === "insert" && message.relation === this.#signalRelation && changes.isNextNew())
      return this.#signal(lsn, message);
    const records = changes.next(lsn, message);
    push(records);
    if (message.kind === "commit") return records.length + this.#passed(message.endLsn);
    if (message.kind === "message" && !message.transactional) return records.length + this.#passed(lsn);
    return records.length;
  }

  async #signal(lsn: bigint, message: Extract<Message, { readonly kind: "insert" }>): Promise<number> {
    const { changes, signals, control, retention, push } = this.#options;
    // Before anything has passed it: if it fails, it comes again. The offset of its own record, if there is one, knows of it.
    const before = this.#entries();
    if (await signals.follow(message.after, control)) retention.hold(before);
    const records = changes.next(lsn, message);
    push(records);
    changes.pass();
    return records.length;
  }

  async #describe(relation: Relation): Promise<void> {
    const { settings, types, log, changes, control } = this.#options;
    const { schema, table, id, columns } = relation;
    if (settings["signal.data.collection"] === `${schema}.${table}`) this.#signalRelation = id;
    const isOne = isCaptured(settings, schema, table);
    const described = isOne ? await describeRelation(control, types, settings, relation) : null;
    changes.setTable(id, described);
    const unknown = unknownToDeletions(described?.messageKey ?? null, columns);
    if (unknown.length === 0) return;
    const reason = "deletions do not have these columns of message.key.columns: give the table REPLICA IDENTITY FULL";
    log.warn({ table: `${schema}.${table}`, columns: unknown, reason }, "keys of deletions will be others");
  }

  /** Between transactions: all up to this place was given, or is of no interest. */
  #passed(end: bigint): number {
    const { changes, incremental, database, retention, push } = this.#options;
    let given = 0;
    this.#place = end;
    for (const row of incremental.take(end, { database, lsn: changes.position().commit })) {
      push([changes.standing(row)]);
      given += 1;
    }
    retention.mark(end, () => this.#entries());
    return given;
  }

  /** What the next offset says besides the place in the stream. */
  #entries(): string {
    const { incremental, blocking } = this.#options;
    return JSON.stringify({ ...incremental.entries(), ...blocking.entries() });
  }
}
