import type { ExpandedConnectors } from "@headrace/contract";
import { type ConnectClient, firstAnswer, isConnectError, type Worker } from "../worker/connect-client.ts";

/** How many connectors and tasks have been given to somebody, or are about to be, and do not run yet. */
export function countStarting(expanded: ExpandedConnectors): number {
  return Object.values(expanded)
    .flatMap(({ status }) => (status === undefined ? [] : [status.connector, ...status.tasks]))
    .filter(({ state }) => state === "UNASSIGNED" || state === "RESTARTING").length;
}

/** The same, as any ready worker tells; 0 if none does: nobody is waited for whom nobody knows. */
export async function observeStarting(
  connect: Pick<ConnectClient, "expanded">,
  workers: readonly Worker[],
  signal: AbortSignal,
): Promise<number> {
  try {
    return countStarting((await firstAnswer(workers, (worker) => connect.expanded(worker, signal))).answer);
  } catch (error) {
    if (isConnectError(error)) return 0;
    throw error;
  }
}
