import type { WorkerHealth } from "@headrace/contract";
import type { GroupMember } from "./group/group.ts";
import { stableView } from "./herder/stable-view.ts";

/** How a worker's start goes on, and whether it is well afterwards (contract §5.2). */
export interface Health {
  /** From now on the start is doing this; wordings are the contract's (§5.0). */
  enter(stage: string): void;
  stage(): string;
  /** Answers within ten seconds. */
  check(): Promise<WorkerHealth>;
}

const TIMEOUT_MS = 10_000;

/** Creates it. `isStarted`: this worker has taken part in a round and knows its plugins. `wallClock`: milliseconds since the epoch. */
export function createHealth(options: {
  readonly member: () => Pick<GroupMember, "view" | "onView">;
  readonly isStarted: () => boolean;
  readonly wallClock: () => number;
}): Health {
  const { member, isStarted, wallClock } = options;
  let stage = "awaiting startup";
  let sinceMs = wallClock();
  const doing = () => `The worker is currently ${stage}, which began at ${new Date(sinceMs).toISOString()}.`;
  return {
    enter(next) {
      stage = next;
      sinceMs = wallClock();
    },
    stage: () => stage,
    async check() {
      if (!isStarted()) return { status: "starting", message: `Worker is still starting up. ${doing()}` };
      try {
        await stableView(member(), AbortSignal.timeout(TIMEOUT_MS));
        return { status: "healthy", message: "Worker has completed startup and is ready to handle requests." };
      } catch {
        const problem = "Worker was unable to handle this request and may be unable to handle other requests.";
        return { status: "unhealthy", message: `${problem} ${doing()}` };
      }
    },
  };
}
