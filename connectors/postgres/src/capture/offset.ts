import { ConfigError, type OffsetMap } from "@headrace/sdk";

/** The last change that was given: its transaction by the place of its commit, the change's number within it, and the record's of the change. */
export interface StreamPosition {
  readonly commit: bigint;
  /** From 1; 0: none of this transaction. */
  readonly event: number;
  readonly part: number;
}

/** What besides the position goes into an offset, under Debezium's names. */
export interface OffsetFacts {
  readonly lsn: bigint;
  /** End of the last complete transaction. */
  readonly lastCommit: bigint | null;
  readonly xid: number | null;
  readonly micros: bigint;
}

/** The offset of the stream: Debezium's entries, and ours for the exact place. */
export function toStreamOffset(position: StreamPosition, facts: OffsetFacts): OffsetMap {
  const { lsn, lastCommit, xid, micros } = facts;
  const { commit, event, part } = position;
  // One object literal for nearly all of them: spreading costs more than the rest of it.
  if (lastCommit !== null && xid !== null)
    return { lsn, lsn_proc: lsn, lsn_commit: lastCommit, txId: xid, ts_usec: micros, commit, event, part };
  return {
    lsn,
    lsn_proc: lsn,
    ...(lastCommit !== null && { lsn_commit: lastCommit }),
    ...(xid !== null && { txId: xid }),
    ts_usec: micros,
    commit,
    event,
    part,
  };
}

/** Whether Debezium had stopped while it was reading tables: nothing of the stream was given then. */
export function isUnfinishedReading(offset: OffsetMap): boolean {
  const { snapshot = false, last_snapshot_record: isLast = false } = offset;
  return offset["commit"] === undefined && snapshot !== false && snapshot !== null && isLast !== true;
}

/** Throws ConfigError for what is no such offset. One that Debezium has written goes on behind its last complete transaction. */
export function fromStreamOffset(offset: OffsetMap): StreamPosition {
  if (offset["commit"] !== undefined) {
    return {
      commit: integerOf(offset, "commit"),
      event: Number(integerOf(offset, "event")),
      part: Number(integerOf(offset, "part")),
    };
  }
  return { commit: integerOf(offset, offset["lsn_commit"] === undefined ? "lsn" : "lsn_commit"), event: 0, part: 0 };
}

/** End of the last complete transaction before an offset; null if it names none. Throws ConfigError if that is no integer. */
export function lastCommitOf(offset: OffsetMap): bigint | null {
  return (offset["lsn_commit"] ?? null) === null ? null : integerOf(offset, "lsn_commit");
}

/** Whether a record lies behind the position. */
export function isBehind(position: StreamPosition, commit: bigint, event: number, part: number): boolean {
  if (commit !== position.commit) return commit > position.commit;
  return event > position.event || (event === position.event && part > position.part);
}

function integerOf(offset: OffsetMap, key: string): bigint {
  const value = offset[key];
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  throw new ConfigError(`An offset of this connector has the integer ${key}`);
}
