import { createBell } from "./bell.ts";
import type { Clock } from "./clock.ts";

/** Why and when a member wants to join again. */
export interface Wish {
  readonly reason: string;
  readonly atMs: number;
  /** The coordinator has told of the round, so its other members may well know. */
  readonly byCoordinator: boolean;
}

/** The wishes of one member: many become one round, the earliest decides when. */
export interface Wishes {
  add(reason: string, delayMs: number, byCoordinator?: boolean): void;
  /** The leader wants a round in `delayMs`; 0: it does not. */
  schedule(delayMs: number): void;
  /** Milliseconds until the scheduled round; 0: there is none. */
  scheduledInMs(): number;
  isPending(): boolean;
  /** A round begins: what was wanted until now is served by it. */
  clear(): void;
  /** Resolves when a wish is due, with it; it stays until {@link clear}. */
  next(signal: AbortSignal): Promise<Wish>;
}

/** `changed` is called when there is a new wish. */
export function createWishes(clock: Clock, changed: () => void): Wishes {
  const bell = createBell(clock);
  let wish: Wish | null = null;
  let scheduledAtMs: number | null = null;

  return {
    add(reason, delayMs, byCoordinator = false) {
      const atMs = clock.now() + delayMs;
      if (wish !== null && wish.atMs <= atMs) return;
      wish = { reason, atMs, byCoordinator };
      bell.ring();
      changed();
    },
    schedule(delayMs) {
      scheduledAtMs = delayMs > 0 ? clock.now() + delayMs : null;
    },
    scheduledInMs: () => (scheduledAtMs === null ? 0 : Math.max(0, Math.ceil(scheduledAtMs - clock.now()))),
    isPending: () => wish !== null,
    clear() {
      wish = null;
      scheduledAtMs = null;
    },
    async next(signal) {
      for (;;) {
        const now = clock.now();
        const dueAtMs = scheduledAtMs ?? Number.POSITIVE_INFINITY;
        if (wish !== null && wish.atMs <= now) return wish;
        if (dueAtMs <= now) return { reason: "the scheduled delay is over", atMs: now, byCoordinator: false };
        await bell.wait(Math.min(dueAtMs, wish?.atMs ?? dueAtMs) - now, signal);
      }
    },
  };
}
