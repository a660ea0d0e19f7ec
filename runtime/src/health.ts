import type { WorkerHealth } from "@headrace/contract";
import type { GroupMember } from "./group/group.ts";
import { stableView } from "./herder/stable-view.ts";
import type { Stages } from "./stages.ts";

const TIMEOUT_MS = 10_000;

/** How a worker's start goes on, and whether it is well afterwards (contract §5.2). `isStarted`: it has taken part in a round and knows its plugins. */
export async function checkHealth(options: {
  readonly member: Pick<GroupMember, "view" | "onView">;
  readonly isStarted: () => boolean;
  readonly stages: Pick<Stages, "describe">;
  readonly timeoutMs?: number;
}): Promise<WorkerHealth> {
  const { member, isStarted, stages } = options;
  if (!isStarted()) return { status: "starting", message: `Worker is still starting up. ${stages.describe()}` };
  try {
    await stableView(member, AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS));
    return { status: "healthy", message: "Worker has completed startup and is ready to handle requests." };
  } catch {
    const problem = "Worker was unable to handle this request and may be unable to handle other requests.";
    return { status: "unhealthy", message: `${problem} ${stages.describe()}` };
  }
}
