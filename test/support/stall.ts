import type { Stall } from "@headrace/sdk/testing";

/** A stall of a server that a test plays. */
export interface PlayedStall {
  readonly stall: Stall;
  /** Does something now, or when the stall ends. `isRequest`: whoever asks for it waits for it; true if not given. */
  act(act: () => void, isRequest?: boolean): void;
}

/** There is none at first. What was to be done during one is done at its end, in order. */
export function createStall(): PlayedStall {
  let held: { readonly act: () => void; readonly isRequest: boolean }[] | null = null;
  return {
    stall: {
      async begin() {
        held = [];
      },
      async end() {
        const acts = held ?? [];
        held = null;
        for (const { act } of acts) act();
      },
      waiting: () => (held ?? []).some(({ isRequest }) => isRequest),
    },
    act(act, isRequest = true) {
      if (held === null) act();
      else held.push({ act, isRequest });
    },
  };
}
