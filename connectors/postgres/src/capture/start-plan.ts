import type { Slot } from "./database.ts";
import { lsnText } from "./lsn.ts";
import type { Settings } from "./settings.ts";

export type StartPlan =
  /** Go on with the stream; the slot is created if there is none. */
  | { readonly kind: "stream" }
  /** Read tables first. `anew`: with a new slot, and nothing of what was read before counts. */
  | { readonly kind: "snapshot"; readonly anew: boolean }
  | { readonly kind: "fail"; readonly message: string };

export interface StartFacts {
  readonly mode: Settings["snapshot.mode"];
  readonly slotName: string;
  /** null: there is none. */
  readonly slot: Slot | null;
  /** Up to which commit the stream was given; null: it has not begun. */
  readonly given: bigint | null;
  /** Whether this task has read all tables already. */
  readonly hasRead: boolean;
  /** Where the server's log ends. */
  readonly end: bigint;
}

/** What a task begins with. */
export function planStart({ mode, slotName, slot, given, hasRead, end }: StartFacts): StartPlan {
  const isGone = slot === null || slot.isLost;
  const reads = mode !== "no_data" && mode !== "never";
  if (given === null && !hasRead) {
    if (reads) return { kind: "snapshot", anew: isGone };
    if (slot?.isLost !== true) return { kind: "stream" };
  }
  const reason = isGone ? goneReason(slotName, slot) : given !== null && given > end ? behindReason(given, end) : null;
  if (reason === null) {
    return mode === "always" && !hasRead ? { kind: "snapshot", anew: false } : { kind: "stream" };
  }
  if (mode === "when_needed") return { kind: "snapshot", anew: true };
  const wayOut =
    "Set snapshot.mode=when_needed, or stop the connector, reset its offsets and resume it: then tables are read anew with a new slot";
  return { kind: "fail", message: `${reason}. ${wayOut}` };
}

function goneReason(name: string, slot: Slot | null): string {
  return slot === null
    ? `Replication slot ${name} does not exist any more, as after a failover of the database: changes since the stored offset are lost`
    : `Replication slot ${name} was invalidated by max_slot_wal_keep_size: changes since the stored offset are lost`;
}

function behindReason(given: bigint, end: bigint): string {
  return `The stored offset ${lsnText(given)} lies behind the end of the database's log ${lsnText(end)}: it is another database, or was restored`;
}
