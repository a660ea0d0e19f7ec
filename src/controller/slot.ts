import { AsyncLocalStorage } from "node:async_hooks";

/** The place among a controller's reconciles in flight that one of them takes. */
interface Slot {
  /** How many waits it has begun and not ended. */
  waits: number;
  readonly changed: () => void;
}

const slots = new AsyncLocalStorage<Slot>();

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
      const slot = { waits: 0, changed };
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
  const leave = leaveSlot();
  try {
    return await wait();
  } finally {
    leave();
  }
}

/** As {@link withoutSlot}, but the slot is free only once the wait has taken `patienceMs`. */
export async function withoutSlotAfter<R>(patienceMs: number, wait: () => Promise<R>): Promise<R> {
  let leave = () => {};
  const timer = setTimeout(() => {
    leave = leaveSlot();
  }, patienceMs);
  try {
    return await wait();
  } finally {
    clearTimeout(timer);
    leave();
  }
}

/** Frees the slot of the reconcile that calls this; what it answers takes it again. */
function leaveSlot(): () => void {
  const slot = slots.getStore();
  if (slot === undefined) return () => {};
  slot.waits += 1;
  if (slot.waits === 1) slot.changed();
  return () => {
    slot.waits -= 1;
  };
}
