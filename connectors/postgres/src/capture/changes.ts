import {
  DataError,
  type Header,
  NULL_VALUE,
  type OffsetMap,
  type SchemaAndValue,
  type SourceRecord,
  type Value,
  valuesEqual,
} from "@headrace/sdk";
import { type BinaryMode, binaryForm } from "./column.ts";
import {
  type ChangeSource,
  envelope,
  MESSAGE_KEY_SCHEMA,
  messageSchema,
  type Operation,
  sourceBlock,
  TRANSACTION_KEY_SCHEMA,
  TRANSACTION_SCHEMA,
} from "./envelope.ts";
import { isMessageCaptured, type MessageRules } from "./filter.ts";
import { isBehind, type StreamPosition, toStreamOffset } from "./offset.ts";
import type { LogicalMessage, Message, OldRow, Row } from "./pgoutput.ts";
import {
  type CapturedTable,
  type DecodedRow,
  decodeKeyRow,
  decodeRow,
  identityOf,
  keyOf,
  loosened,
  type RowValue,
  shownRow,
} from "./table.ts";

export interface ChangeRules extends MessageRules {
  readonly "topic.prefix": string;
  readonly "topic.delimiter": string;
  readonly "tombstones.on.delete": boolean;
  readonly "provide.transaction.metadata": boolean;
  readonly "unavailable.value.placeholder": string;
  readonly "skipped.operations": readonly string[];
  readonly "skip.messages.without.change": boolean;
  readonly "topic.transaction": string;
  readonly "binary.handling.mode": BinaryMode;
}

export interface ChangesOptions {
  readonly rules: ChangeRules;
  readonly database: string;
  /** What was given last; records up to there are not given again. */
  readonly position: StreamPosition;
  /** End of the last complete transaction, as far as it is known; PostgreSQL does not send again what lies before. */
  readonly lastCommit: bigint | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Goes into every offset, besides what the stream says. */
  readonly entries?: () => OffsetMap;
  /** Is told of each row that changes, those that were given before included. */
  readonly onChange?: (table: CapturedTable, row: () => ChangedRow) => void;
}

/** Which row: by {@link identityOf}; unknown: one of the table, but not which. */
export type ChangedRow = { readonly kind: "one"; readonly identity: string } | { readonly kind: "all" | "unknown" };

/**
 * Places at the commit of a transaction before its first change: a stream that has passed the log up to there, a message that ends there and
 * belongs to no transaction, and the word that the transaction begins.
 */
const [MESSAGE_PART, BEGIN_PART] = [1, 2] as const;

interface Transaction {
  readonly commitLsn: bigint;
  readonly committedAt: bigint;
  readonly xid: number;
  /** Changes so far, those of other tables included: the same number whenever the transaction comes by. */
  event: number;
  /** Events given so far, and of each table. */
  total: number;
  readonly tables: Map<string, number>;
}

/** A record that is to become one: where it goes, without its offset. */
type Draft = Pick<SourceRecord, "topic" | "key" | "value" | "headers">;

/**
 * Makes records of the messages of the stream, one after the other.
 *
 * Guarantees: records of a transaction have the same places each time that it comes by, so that those up to the position are left out, whatever
 * part of it PostgreSQL sends again.
 */
export class Changes {
  readonly #options: ChangesOptions;
  readonly #tables = new Map<number, CapturedTable | null>();
  #position: StreamPosition;
  #lastCommit: bigint | null;
  #transaction: Transaction | null = null;
  #micros = 0n;
  #xid: number | null = null;
  readonly #partition: OffsetMap;

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#partition = { server: options.rules["topic.prefix"] };
    this.#position = options.position;
    this.#lastCommit = options.lastCommit;
  }

  /** Of the last record given. */
  position(): StreamPosition {
    return this.#position;
  }

  /** End of the last complete transaction; null: of none that was seen, nor told. */
  lastCommit(): bigint | null {
    return this.#lastCommit;
  }

  /** Whether the stream is within a transaction: nothing of it may be acknowledged yet. */
  isInTransaction(): boolean {
    return this.#transaction !== null;
  }

  /** What a relation of the stream is from now on; null: it is not captured. */
  setTable(relation: number, table: CapturedTable | null): void {
    this.#tables.set(relation, table);
  }

  /** Between transactions: all that lies before this place has been given, or was of no interest. */
  skipTo(lsn: bigint): void {
    if (this.#transaction === null && lsn > this.#position.commit) this.#position = { commit: lsn, event: 0, part: 0 };
  }

  /** A record that says where the stream is, and nothing else. */
  standing(draft: Draft): SourceRecord {
    return this.#toRecord(draft, this.#position.commit);
  }

  /** Whether the next change of the transaction has not been given yet, nor passed over. */
  isNextNew(): boolean {
    if (this.#transaction === null) return false;
    const { commitLsn, event } = this.#transaction;
    return isBehind(this.#position, commitLsn, event + 1, 0);
  }

  /** The last change is done with, whether or not there was a record of it. */
  pass(): void {
    const { commitLsn: commit, event } = this.#open();
    if (isBehind(this.#position, commit, event, 0)) this.#position = { commit, event, part: 0 };
  }

  /** The records of one message that stands at this place of the log. */
  next(lsn: bigint, message: Message): readonly SourceRecord[] {
    switch (message.kind) {
      case "begin": {
        const { commitLsn, committedAt, xid } = message;
        const transaction = { commitLsn, committedAt, xid, event: 0, total: 0, tables: new Map() };
        this.#transaction = transaction;
        this.#micros = committedAt;
        this.#xid = xid;
        return this.#begin(transaction, lsn);
      }
      case "commit": {
        const transaction = this.#open();
        transaction.event += 1;
        const records = this.#place(transaction, lsn, this.#end(transaction, message.endLsn));
        this.#lastCommit = message.endLsn;
        this.#transaction = null;
        return records;
      }
      case "insert":
      case "update":
      case "delete":
      case "truncate": {
        const transaction = this.#open();
        transaction.event += 1;
        const relations = message.kind === "truncate" ? message.relations : [message.relation];
        const drafts = relations.flatMap((relation) => this.#change(transaction, lsn, relation, message));
        return this.#place(transaction, lsn, drafts);
      }
      case "message":
        return this.#message(lsn, message);
      case "relation":
      case "other":
        return [];
      default:
        throw new Error(`unreachable: ${message satisfies never}`);
    }
  }

  #message(lsn: bigint, message: LogicalMessage): readonly SourceRecord[] {
    const isWanted = isMessageCaptured(this.#options.rules, message.prefix);
    if (message.transactional) {
      const transaction = this.#open();
      transaction.event += 1;
      return this.#place(transaction, lsn, isWanted ? this.#messageEvents(transaction, lsn, message) : []);
    }
    const position = { commit: lsn, event: 0, part: MESSAGE_PART };
    if (!isWanted || !isBehind(this.#position, position.commit, position.event, position.part)) return [];
    this.#position = position;
    return this.#messageEvents(null, lsn, message).map((draft) => this.#toRecord(draft, lsn));
  }

  #messageEvents(transaction: Transaction | null, lsn: bigint, { prefix, content }: LogicalMessage): readonly Draft[] {
    const { rules, database, now } = this.#options;
    const block = this.#count(transaction, lsn, "LOGICAL_DECODING_MESSAGE");
    const form = binaryForm(rules["binary.handling.mode"]);
    const source: ChangeSource = {
      prefix: rules["topic.prefix"],
      database,
      schema: "",
      table: "",
      snapshot: "false",
      micros: transaction?.committedAt ?? BigInt(now()) * 1_000n,
      xid: transaction?.xid ?? null,
      lsn,
      lastCommit: this.#lastCommit,
    };
    const value = {
      op: "m",
      ts_ms: BigInt(now()),
      source: sourceBlock(source),
      transaction: block,
      message: { prefix, content: form.show(content) },
    };
    const draft = {
      topic: `${rules["topic.prefix"]}.message`,
      key: { schema: MESSAGE_KEY_SCHEMA, value: { prefix } },
      value: { schema: messageSchema(form.schema), value },
    };
    return [draft];
  }

  #open(): Transaction {
    if (this.#transaction === null) throw new Error("a change outside of a transaction");
    return this.#transaction;
  }

  /** Gives the drafts of one change their places, and leaves out what was given before. */
  #place(transaction: Transaction, lsn: bigint, drafts: readonly Draft[]): readonly SourceRecord[] {
    const { commitLsn: commit, event } = transaction;
    return drafts.flatMap((draft, part) => {
      if (!isBehind(this.#position, commit, event, part)) return [];
      this.#position = { commit, event, part };
      return [this.#toRecord(draft, lsn)];
    });
  }

  #toRecord(draft: Draft, lsn: bigint): SourceRecord {
    const facts = { lsn, lastCommit: this.#lastCommit, xid: this.#xid, micros: this.#micros };
    return {
      ...draft,
      sourcePartition: this.#partition,
      sourceOffset: { ...toStreamOffset(this.#position, facts), ...this.#options.entries?.() },
    };
  }

  #change(
    transaction: Transaction,
    lsn: bigint,
    relation: number,
    message: Extract<Message, { readonly kind: "insert" | "update" | "delete" | "truncate" }>,
  ): readonly Draft[] {
    const table = this.#tables.get(relation);
    if (table === undefined) throw new Error(`the stream has not described relation ${relation}`);
    if (table === null) return [];
    const skipped = this.#options.rules["skipped.operations"];
    const change = { transaction, lsn, relation };
    switch (message.kind) {
      case "insert":
        return skipped.includes("c") ? [] : this.#write(change, "c", null, message.after, []);
      case "update":
        return this.#update(change, message.before, message.after);
      case "delete":
        return skipped.includes("d") ? [] : this.#remove(change, message.before, []);
      case "truncate":
        return skipped.includes("t") ? [] : this.#empty(change);
      default:
        throw new Error(`unreachable: ${message satisfies never}`);
    }
  }

  #update(change: Change, before: OldRow | null, after: Row): readonly Draft[] {
    const skipped = this.#options.rules["skipped.operations"];
    // Then the key is as it was.
    if (before === null && skipped.includes("u")) return [];
    const row = this.#decode(change.relation, after, before?.complete === true ? before.row : null);
    const old = before === null ? null : this.#decodeOld(change.relation, before);
    const table = this.#table(change.relation);
    const newKey = keyOf(table, row);
    const oldKey = old === null ? null : keyOf(table, old);
    if (before !== null && oldKey !== null && newKey !== null && !valuesEqual(oldKey.value, newKey.value)) {
      const isNew: Header = { key: "__debezium.newkey", ...newKey };
      const wasOld: Header = { key: "__debezium.oldkey", ...oldKey };
      // Two events, each of which may be left out.
      const gone = skipped.includes("d") ? [] : this.#remove(change, before, [isNew]);
      const come = skipped.includes("c") ? [] : this.#write(change, "c", null, after, [wasOld], before);
      return [...gone, ...come];
    }
    if (skipped.includes("u")) return [];
    const whole = before?.complete === true ? old : null;
    // A column that is not captured may be all that has changed.
    const isSame = whole !== null && valuesEqual(whole, row);
    if (isSame && this.#options.rules["skip.messages.without.change"]) return [];
    if (before !== null) this.#tell(change, before.row);
    this.#tell(change, after);
    return this.#event(change, "u", newKey, { before: whole, after: row }, []);
  }

  /** Says which row a change is of. */
  #tell({ relation }: Change, row: Row): void {
    const table = this.#table(relation);
    this.#options.onChange?.(table, () => {
      const identity = identityOf(table, row);
      return identity === null ? { kind: "unknown" } : { kind: "one", identity };
    });
  }

  #write(
    change: Change,
    op: Operation,
    before: RowValue | null,
    after: Row,
    headers: readonly Header[],
    old: OldRow | null = null,
  ): readonly Draft[] {
    this.#tell(change, after);
    const row = this.#decode(change.relation, after, old?.complete === true ? old.row : null);
    return this.#event(change, op, keyOf(this.#table(change.relation), row), { before, after: row }, headers);
  }

  #remove(change: Change, before: OldRow, headers: readonly Header[]): readonly Draft[] {
    this.#tell(change, before.row);
    const row = this.#decodeOld(change.relation, before);
    const key = keyOf(this.#table(change.relation), row);
    const drafts = this.#event(change, "d", key, { before: row, after: null }, headers);
    if (key === null || !this.#options.rules["tombstones.on.delete"]) return drafts;
    return [...drafts, { topic: this.#table(change.relation).topic, key, value: NULL_VALUE, headers }];
  }

  #empty(change: Change): readonly Draft[] {
    this.#options.onChange?.(this.#table(change.relation), () => ({ kind: "all" }));
    return this.#event(change, "t", null, { before: null, after: null }, []);
  }

  #event(
    change: Change,
    op: Operation,
    key: SchemaAndValue | null,
    rows: { readonly before: RowValue | null; readonly after: RowValue | null },
    headers: readonly Header[],
  ): readonly Draft[] {
    const { transaction, lsn } = change;
    const table = this.#table(change.relation);
    const { rules, database, now } = this.#options;
    const block = this.#count(transaction, lsn, `${table.schema}.${table.table}`);
    const source: ChangeSource = {
      prefix: rules["topic.prefix"],
      database,
      schema: table.schema,
      table: table.table,
      snapshot: "false",
      micros: transaction.committedAt,
      xid: transaction.xid,
      lsn,
      lastCommit: this.#lastCommit,
    };
    const before = rows.before === null ? null : shownRow(table, rows.before);
    const after = rows.after === null ? null : shownRow(table, rows.after);
    const value = envelope({ before, after, source, transaction: block, op, now: now() });
    return [{ topic: table.topic, key, value: { schema: table.envelope, value }, headers }];
  }

  /** Counts an event of a transaction, and gives what it says of its place. */
  #count(transaction: Transaction | null, lsn: bigint, collection: string): Value {
    if (transaction === null || !this.#options.rules["provide.transaction.metadata"]) return null;
    transaction.total += 1;
    const order = (transaction.tables.get(collection) ?? 0) + 1;
    transaction.tables.set(collection, order);
    const id = `${transaction.xid}:${lsn}`;
    return { id, total_order: BigInt(transaction.total), data_collection_order: BigInt(order) };
  }

  #begin(transaction: Transaction, lsn: bigint): readonly SourceRecord[] {
    const position = { commit: transaction.commitLsn, event: 0, part: BEGIN_PART };
    const isNew = isBehind(this.#position, position.commit, position.event, position.part);
    if (!this.#options.rules["provide.transaction.metadata"] || !isNew) return [];
    this.#position = position;
    return [this.#toRecord(this.#boundary("BEGIN", `${transaction.xid}:${lsn}`, transaction, null), lsn)];
  }

  #end(transaction: Transaction, endLsn: bigint): readonly Draft[] {
    if (!this.#options.rules["provide.transaction.metadata"]) return [];
    const collections = [...transaction.tables].map(([name, count]) => ({
      data_collection: name,
      event_count: BigInt(count),
    }));
    return [this.#boundary("END", `${transaction.xid}:${endLsn}`, transaction, collections)];
  }

  #boundary(status: "BEGIN" | "END", id: string, transaction: Transaction, collections: Value): Draft {
    const { rules } = this.#options;
    const value = {
      status,
      id,
      event_count: collections === null ? null : BigInt(transaction.total),
      data_collections: collections,
      ts_ms: transaction.committedAt / 1_000n,
    };
    return {
      topic: `${rules["topic.prefix"]}${rules["topic.delimiter"]}${rules["topic.transaction"]}`,
      key: { schema: TRANSACTION_KEY_SCHEMA, value: { id } },
      value: { schema: TRANSACTION_SCHEMA, value },
    };
  }

  #table(relation: number): CapturedTable {
    const table = this.#tables.get(relation) ?? null;
    if (table === null) throw new Error(`relation ${relation} is not captured`);
    return table;
  }

  #decodeOld(relation: number, old: OldRow): RowValue {
    return old.complete
      ? this.#decode(relation, old.row, null)
      : guarded(this.#table(relation), (table) => decodeKeyRow(table, old.row));
  }

  /** A table may have rows from before a column became NOT NULL: then its schema admits null until the stream describes it anew. */
  #decode(relation: number, row: Row, old: Row | null): RowValue {
    const { rules } = this.#options;
    const placeholder = rules["unavailable.value.placeholder"];
    const decoded: DecodedRow = guarded(this.#table(relation), (table) => decodeRow(table, row, placeholder, old));
    if (decoded.missing.size > 0) this.#tables.set(relation, loosened(this.#table(relation), decoded.missing));
    return decoded.value;
  }
}

interface Change {
  readonly transaction: Transaction;
  readonly lsn: bigint;
  readonly relation: number;
}

function guarded<T>(table: CapturedTable, decode: (table: CapturedTable) => T): T {
  try {
    return decode(table);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(`table ${table.schema}.${table.table}: ${reason}`, { cause });
  }
}
