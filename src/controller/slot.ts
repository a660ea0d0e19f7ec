import { AsyncLocalStorage } from "node:async_hooks";

/** The place among a controller's reconciles in flight that one of them takes. */
interface Slot {
  /** How many waits it has begun and not ended. */
  waits: number;
  /** Waits within its patience; several at the same time are one. */
  readonly patience: Patience;
  readonly changed: () => void;
}

/** What a reconcile has waited with its slot in its hand. */
interface Patience {
  /** Waits under way. */
  running: number;
  /** When the first of those began, ms of `performance.now()`. */
  sinceMs: number;
  /** All earlier ones together, ms. */
  spentMs: number;
  timer: NodeJS.Timeout | undefined;
  /** Takes the slot again if it was left. */
  leave: () => void;
}

const slots = new AsyncLocalStorage<Slot>();

const UNTRIED: Patience = { running: 0, sinceMs: 0, spentMs: 0, timer: undefined, leave: () => {} };

/** How many reconciles are at work, those that wait for somebody else left out. */
export interface Slots {
  atWork(): number;
  /** Runs a reconcile with a slot of its own. */
  run<R>(work: () => Promise<R>): Promise<R>;
}

/** `changed` is called whenever a slot has become free. */
export function createSlots(changed: () => void): Slots {
  const taken = new Set<Slot>();
  return {
    atWork: () => [...taken].filter(({ waits }) => waits === 0).length,
    async run(work) {
      const slot = { waits: 0, patience: { ...UNTRIED }, changed };
      taken.add(slot);
      try {
        return await slots.run(slot, work);
      } finally {
        taken.delete(slot);
        changed();
      }
    },
  };
}

/**
 * Runs `wait`, in which the reconcile that calls this does nothing but wait for somebody else; meanwhile its slot is free for another.
 * Afterwards it goes on at once. Outside of a reconcile it just runs `wait`.
 */
export async function withoutSlot<R>(wait: () => Promise<R>): Promise<R> {
  const leave = leaveSlot(slots.getStore());
  try {
    return await wait();
  } finally {
    leave();
  }
}

/**
 * As {@link withoutSlot}, but the slot is free only once the reconcile has waited so for `patienceMs`, in this wait and all earlier ones together:
 * many slow answers hold it no longer than one that never comes.
 */
export async function withoutSlotAfter<R>(patienceMs: number, wait: () => Promise<R>): Promise<R> {
  const slot = slots.getStore();
  if (slot === undefined) return await wait();
  const { patience } = slot;
  patience.running += 1;
  if (patience.running === 1) {
    patience.sinceMs = performance.now();
    const leave = () => {
      patience.leave = leaveSlot(slot);
    };
    const leftMs = patienceMs - patience.spentMs;
    if (leftMs <= 0) leave();
    else patience.timer = setTimeout(leave, leftMs);
  }
  try {
    return await wait();
  } finally {
    patience.running -= 1;
    if (patience.running === 0) {
      clearTimeout(patience.timer);
      patience.spentMs += performance.now() - patience.sinceMs;
      patience.leave();
      patience.leave = () => {};
    }
  }
}

/** Frees the slot of the reconcile that calls this; what it answers takes it again. */
function leaveSlot(slot: Slot | undefined): () => void {
  if (slot === undefined) return () => {};
  slot.waits += 1;
  if (slot.waits === 1) slot.changed();
  return () => {
    slot.waits -= 1;
  };
}
