import type { GroupMember } from "../group/group.ts";
import type { Logger } from "../log.ts";
import { pause } from "../pause.ts";
import type { ConfigStore, StatusStore } from "../store/stores.ts";
import { generateKey, needsNewKey, type SessionKeyPolicy } from "./request-signature.ts";
import { type StaleStatuses, staleStatuses } from "./stale-statuses.ts";

export interface LeaderDutiesOptions {
  readonly configStore: Pick<ConfigStore, "config" | "claimPrivilege" | "putSessionKey" | "onChange">;
  readonly statusStore: Pick<
    StatusStore,
    "connectors" | "tasks" | "topics" | "removeConnector" | "removeTask" | "resetTopics" | "onChange"
  >;
  readonly member: () => Pick<GroupMember, "view" | "confirm" | "onView">;
  readonly keys: SessionKeyPolicy;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  readonly log: Logger;
}

const TICK_MS = 10_000;
const SETTLE_MS = 100;
const WRITE_TIMEOUT_MS = 30_000;

/**
 * What a leader does besides answering requests: fences former leaders, keeps the session key fresh, and removes the statuses of what is not configured any more.
 * Looks after each completed round, after changes of the config and status topics, and every now and then.
 */
export async function runLeaderDuties(options: LeaderDutiesOptions, signal: AbortSignal): Promise<void> {
  const { configStore, statusStore, member } = options;
  let wake = new AbortController();
  const look = () => wake.abort();
  // Claimed anew with each beginning of leadership: somebody else may have led in between.
  let privileged = false;
  const unsubscribe = [configStore.onChange(look), statusStore.onChange(look), member().onView(look)];
  try {
    while (!signal.aborted) {
      wake = new AbortController();
      const view = member().view();
      if (!view.isLeader) privileged = false;
      if (view.isLeader && !view.rebalancing) {
        if (!privileged) privileged = await claim(options, signal);
        await doDuties(options, signal);
      }
      await pause(TICK_MS, AbortSignal.any([signal, wake.signal]));
      await pause(SETTLE_MS, signal);
    }
  } finally {
    for (const end of unsubscribe) end();
  }
}

/** Whether former leaders are fenced now; if not, each write claims for itself. */
async function claim({ configStore, log }: LeaderDutiesOptions, signal: AbortSignal): Promise<boolean> {
  try {
    await configStore.claimPrivilege(AbortSignal.any([signal, AbortSignal.timeout(WRITE_TIMEOUT_MS)]));
    return true;
  } catch (error) {
    if (!signal.aborted) log.warn({ error }, "privilege to write to the config topic not taken, trying again");
    return false;
  }
}

async function doDuties(options: LeaderDutiesOptions, signal: AbortSignal): Promise<void> {
  const { configStore, statusStore, member, keys, wallClock, log } = options;
  const findStale = () => staleStatuses(configStore.config(), statusStore);
  const stale = findStale();
  const hasStale = stale.connectors.length + stale.tasks.length + stale.topics.length > 0;
  const needsKey =
    member().view().protocolVersion >= 2 && needsNewKey(configStore.config().sessionKey, keys, wallClock());
  if (!hasStale && !needsKey) return;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(WRITE_TIMEOUT_MS)]);
  try {
    // A worker that was frozen may still take itself for the leader: its view of what is configured is as old (invariant 5).
    await member().confirm(deadline);
    if (hasStale) removeStale(options, findStale());
    if (!needsKey) return;
    await configStore.putSessionKey(generateKey(keys, wallClock()), deadline);
    log.info({ algorithm: keys.generationAlgorithm }, "session key written");
  } catch (error) {
    if (!signal.aborted) log.warn({ error }, "duties of the leader failed, they are tried again");
  }
}

function removeStale({ configStore, statusStore }: LeaderDutiesOptions, stale: StaleStatuses): void {
  const entry = (connector: string) => configStore.config().connectors.get(connector);
  for (const connector of stale.connectors) {
    statusStore.removeConnector(connector, () => entry(connector) === undefined);
  }
  for (const id of stale.tasks) {
    statusStore.removeTask(id, () => entry(id.connector)?.tasks?.[id.task] === undefined);
  }
  for (const connector of stale.topics) statusStore.resetTopics(connector);
}
