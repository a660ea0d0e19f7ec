import type { GroupInfo } from "@headrace/contract";
import type { ObjectKey } from "../kube/client.ts";
import { type ConnectClient, firstAnswer, isConnectError, type Worker } from "../worker/connect-client.ts";
import { hostOf } from "./handover.ts";
import type { WorkerPod } from "./worker-pod.ts";

export interface EndedWorker {
  readonly cluster: ObjectKey;
  readonly pod: WorkerPod;
  readonly group: GroupInfo;
  /** Workers that can be told. */
  readonly workers: readonly Worker[];
}

/**
 * Tells the group that the process of a worker has ended, so that its work moves at once instead of after the session
 * time-out. Only a container that has terminated counts: a deleted pod, or one that is not ready, may still be at work.
 * Whoever answers at the pod's address is asked first, since a new process may have joined from there meanwhile.
 *
 * Answers true if there is nothing more to do for this end of the container.
 */
export async function reportEnded(
  connect: ConnectClient,
  { cluster, pod, group, workers }: EndedWorker,
  signal: AbortSignal,
): Promise<boolean> {
  const { ip } = pod;
  const member = group.members.find(({ url }) => hostOf(url) === ip);
  if (ip === null || member === undefined) return true;
  if (await answers(connect, { cluster, ip }, signal)) return true;
  const others = workers.filter((worker) => worker.ip !== ip);
  if (others.length === 0) return false;
  await firstAnswer(others, (worker) => connect.reportGone(worker, member.memberId, signal));
  return true;
}

async function answers(connect: ConnectClient, worker: Worker, signal: AbortSignal): Promise<boolean> {
  try {
    await connect.self(worker, signal);
    return true;
  } catch (error) {
    if (isConnectError(error, "unreachable")) return false;
    if (isConnectError(error)) return true;
    throw error;
  }
}
