import { GroupInfo } from "@headrace/contract";
import type { GroupMember } from "../group/group.ts";
import type { Logger } from "../log.ts";
import type { PeerFetch } from "../peer-fetch.ts";
import { toGroupInfo } from "./views.ts";

/** The group as REST shows and moves it. */
export interface GroupQueries {
  /** As the leader sees it; as this worker sees it if `local`, or if the leader does not say. */
  group(local: boolean): Promise<GroupInfo>;
  /** Gives this worker's work away; resolves when it holds nothing, rejects if nobody takes it or `signal` aborts. */
  drain(signal: AbortSignal): Promise<void>;
  /** Gives this worker's work away, beside the request. */
  drainSoon(): void;
  isDraining(): boolean;
  /** A peer's poke. */
  poke(): void;
  /** The operator knows that a member's container has ended. */
  gone(memberId: string): Promise<void>;
}

export interface GroupQueriesOptions {
  readonly member: () => Pick<GroupMember, "view" | "drain" | "poked" | "evict">;
  readonly fetch: PeerFetch;
  readonly drainTimeoutMs: number;
  readonly log: Logger;
}

const LEADER_TIMEOUT_MS = 2_000;
const EVICT_TIMEOUT_MS = 10_000;

/** Creates the queries. */
export function createGroupQueries(options: GroupQueriesOptions): GroupQueries {
  const { member, fetch, log } = options;
  let draining = false;

  const askLeader = async (leaderUrl: string): Promise<GroupInfo | null> => {
    const url = `${leaderUrl}headrace/group?forward=false`;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(LEADER_TIMEOUT_MS) });
      return response.ok ? GroupInfo.parse(await response.json()) : null;
    } catch (error) {
      log.debug({ leaderUrl, error }, "the leader does not describe the group");
      return null;
    }
  };

  const drain = (signal: AbortSignal) => {
    draining = true;
    return member().drain(signal);
  };

  return {
    async group(local) {
      const view = member().view();
      const ask = !local && !view.isLeader && view.leaderUrl !== null;
      return (ask && view.leaderUrl !== null ? await askLeader(view.leaderUrl) : null) ?? toGroupInfo(view);
    },
    drain,
    drainSoon() {
      drain(AbortSignal.timeout(options.drainTimeoutMs)).then(
        () => log.info({}, "drained"),
        (error: unknown) => log.warn({ error }, "draining did not finish"),
      );
    },
    isDraining: () => draining,
    poke: () => member().poked(),
    gone: (memberId) => member().evict(memberId, AbortSignal.timeout(EVICT_TIMEOUT_MS)),
  };
}
