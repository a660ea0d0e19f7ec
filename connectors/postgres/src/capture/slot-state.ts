import type { Client } from "pg";

/** What becomes of the log that a slot needs, from the best to the worst. Source: PostgreSQL, pg_replication_slots.wal_status. */
export const WAL_STATUSES = ["reserved", "extended", "unreserved", "lost"] as const;
export type WalStatus = (typeof WAL_STATUSES)[number];

/** What PostgreSQL keeps of its log for a slot. */
export interface SlotState {
  readonly status: WalStatus;
  /** From the oldest place that the slot needs (`restart_lsn`) to the end of the log. */
  readonly retainedBytes: number;
  /** From the place up to which it was acknowledged (`confirmed_flush_lsn`) to the end of the log. */
  readonly unconfirmedBytes: number;
  /** How much may still be written before the slot is in danger of being lost; null: `max_slot_wal_keep_size` sets no limit. */
  readonly safeBytes: number | null;
}

/** null: there is no such slot, or its creation is not over. */
export async function readSlotState(client: Client, name: string): Promise<SlotState | null> {
  const { rows } = await client.query<SlotState>(
    `SELECT wal_status AS status, safe_wal_size::float8 AS "safeBytes",
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::float8 AS "retainedBytes",
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::float8 AS "unconfirmedBytes"
     FROM pg_replication_slots WHERE slot_name = $1 AND wal_status IS NOT NULL`,
    [name],
  );
  return rows[0] ?? null;
}

/** A line of the log. */
export interface Notice {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
}

/** What is to be said of a slot, given what was known before; null: nothing, or there was no slot. Nothing is said twice. */
export function noticesOf(before: SlotState | null, now: SlotState, alarmBytes: number): readonly Notice[] {
  const notices: Notice[] = [];
  const wasTooMuch = (before?.retainedBytes ?? 0) > alarmBytes;
  const isTooMuch = now.retainedBytes > alarmBytes;
  if (isTooMuch && !wasTooMuch)
    notices.push({ level: "warn", message: "postgresql keeps much of its log for the slot" });
  if (!isTooMuch && wasTooMuch)
    notices.push({ level: "info", message: "postgresql does not keep much of its log for the slot any more" });
  if (now.status !== (before?.status ?? "reserved")) notices.push(NOTICES[now.status]);
  return notices;
}

const NOTICES: Readonly<Record<WalStatus, Notice>> = {
  reserved: { level: "info", message: "postgresql keeps its log for the slot within max_wal_size again" },
  extended: { level: "warn", message: "postgresql keeps more of its log for the slot than max_wal_size" },
  unreserved: {
    level: "error",
    message: "postgresql removes the log that the slot needs at the next checkpoint: max_slot_wal_keep_size is used up",
  },
  lost: {
    level: "error",
    message: "the slot is lost: postgresql has removed the log that it needs, beyond max_slot_wal_keep_size",
  },
};
