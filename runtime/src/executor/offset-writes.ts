import type { Logger } from "../log.ts";
import type { WorkerCalls } from "./channel.ts";
import type { Handlers } from "./rpc.ts";
import type { Supervisor } from "./supervisor.ts";

/** Kafka acknowledges within milliseconds. While it does not, nothing else is written either, and whoever waits is not held up for longer. */
const DECIDED_LIMIT_MS = 10_000;

/**
 * Starts an executor that counts as gone only when each offset write that it had asked the worker for is decided, which nobody can take back once it
 * is under way: otherwise one of a killed executor could follow what a successor, or somebody who resets the offsets, writes after it (invariant 3).
 * `start` gets the handlers to give the executor; `limitMs` bounds the wait.
 */
export function startWithWrites(
  handlers: Handlers<WorkerCalls>,
  start: (handlers: Handlers<WorkerCalls>) => Supervisor,
  { log, limitMs = DECIDED_LIMIT_MS }: { readonly log: Logger; readonly limitMs?: number },
): Supervisor {
  const running = new Set<Promise<unknown>>();
  const supervisor = start({
    ...handlers,
    async writeOffsets(args, signal) {
      const write = (async () => handlers.writeOffsets(args, signal))();
      running.add(write);
      try {
        return await write;
      } finally {
        running.delete(write);
      }
    },
  });

  /** Resolves when no write is under way and none can begin: what the process has sent is heard until its channel closes. */
  async function decided(): Promise<void> {
    const { closed } = supervisor.rpc;
    if (!closed.aborted) {
      const heard = Promise.withResolvers<void>();
      closed.addEventListener("abort", () => heard.resolve(), { once: true });
      await heard.promise;
    }
    await Promise.allSettled(running);
  }

  const gone = supervisor.gone.then(async (reason) => {
    if (supervisor.pid === 0) return reason; // It has never run.
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), limitMs);
    const end = await Promise.race([decided(), late.promise]);
    clearTimeout(timer);
    if (end === "late")
      log.warn({ executor: supervisor.pid }, "offset writes of an ended executor are still undecided");
    return reason;
  });
  return { ...supervisor, gone };
}
