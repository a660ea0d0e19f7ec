import { EXECUTOR_MEMORY_KEY } from "@headrace/contract";
import { pause } from "../pause.ts";

/** Longest pause between two pings. */
const MAX_PAUSE_MS = 1_000;
/** A timer that is so late tells that this process stood still itself, with the answer unread. */
const LATE_MS = 1_000;

/** The executor that is watched, and who hears of it. */
export interface Watched {
  /** Resolves with its resident memory, when its event loop gets to it; rejects when the signal aborts. */
  readonly ping: (signal: AbortSignal) => Promise<{ readonly memoryBytes: number }>;
  /** Aborts when nothing more can be asked. */
  readonly closed: AbortSignal;
  readonly blockedTimeoutMs: number;
  readonly memoryMaxBytes: number | null;
  readonly pinged: () => void;
  readonly tell: (memoryBytes: number) => void;
  readonly kill: (reason: string) => void;
}

/**
 * Pings one after the other. The first that stays unanswered for too long ends the executor, unless this process stood still meanwhile:
 * then the next one does. So do two in a row that tell of more memory than allowed: one may have come before a garbage collection.
 */
export async function watchExecutor(watched: Watched, signal: AbortSignal): Promise<void> {
  const { ping, closed, blockedTimeoutMs, memoryMaxBytes, pinged, tell, kill } = watched;
  let wasTooLarge = false;
  let wasLate = false;
  while (!signal.aborted) {
    const deadline = AbortSignal.timeout(blockedTimeoutMs);
    const sentAtMs = performance.now();
    pinged();
    try {
      const { memoryBytes } = await ping(AbortSignal.any([signal, deadline]));
      tell(memoryBytes);
      wasLate = false;
      const isTooLarge = memoryMaxBytes !== null && memoryBytes > memoryMaxBytes;
      if (isTooLarge && wasTooLarge) {
        return kill(
          `executor used ${mebibytes(memoryBytes)} MiB of memory; ${EXECUTOR_MEMORY_KEY} allows ${mebibytes(memoryMaxBytes)}`,
        );
      }
      wasTooLarge = isTooLarge;
    } catch {
      if (signal.aborted || closed.aborted) return;
      if (deadline.aborted) {
        const isLate = performance.now() - sentAtMs > blockedTimeoutMs + LATE_MS;
        if (!isLate || wasLate) return kill(`event loop blocked for more than ${blockedTimeoutMs} ms`);
        wasLate = true;
      }
    }
    await pause(Math.min(blockedTimeoutMs / 10, MAX_PAUSE_MS), signal, { ref: false });
  }
}

const mebibytes = (bytes: number) => Math.round(bytes / 1024 / 1024);
