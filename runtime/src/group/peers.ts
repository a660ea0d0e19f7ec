import { GroupInfo } from "@headrace/contract";
import type { Logger } from "@headrace/sdk";
import type { Clock } from "./clock.ts";
import { judge, type PeerRecord, probeTargets, UNKNOWN_PEER } from "./failure-detector.ts";
import type { GroupMemberView, GroupView } from "./group.ts";
import type { PeerTransport } from "./peer-transport.ts";

/** The other workers as reached over HTTP: who has died, who must hear of a rebalance, and, for a follower, what the leader knows. */
export interface Peers {
  /** Probes until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** REST addresses of all other workers that are known here. */
  urls(): readonly string[];
  /** Tells others that a rebalance is on. Never rejects; ends when all have answered or the transport's deadline is over. */
  poke(urls: readonly string[]): Promise<void>;
  /** The leader's account of a generation's round; null for a JVM leader, for the leader itself and until it has been fetched. */
  leaderInfo(generation: number): GroupInfo | null;
}

export interface PeersOptions {
  readonly transport: PeerTransport;
  readonly url: string;
  readonly view: () => GroupView;
  /** Removes a member that has died from the group; true once it is gone. */
  readonly evict: (memberId: string, signal: AbortSignal) => Promise<boolean>;
  readonly onLeaderInfo: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const PROBE_INTERVAL_MS = 250;
/** After a refused probe the next one follows sooner. */
const DOUBT_INTERVAL_MS = 50;
const LEADER_INFO_INTERVAL_MS = 200;
const MAX_RECORDS = 256;
/** A poke outlives what caused it; the transport's deadline ends it. */
const NEVER = new AbortController().signal;

export function createPeers(options: PeersOptions): Peers {
  const { transport, view, clock, log } = options;
  const records = new Map<string, PeerRecord>();
  const probing = new Set<string>();
  const evicting = new Set<string>();
  let info: { readonly leaderUrl: string; readonly group: GroupInfo } | null = null;

  /** All members as far as they are known here. */
  function members(): readonly GroupMemberView[] {
    const now = view();
    if (now.isLeader) return now.members;
    const known = info !== null && info.leaderUrl === now.leaderUrl ? info.group.members : [];
    if (now.leaderId === null || now.leaderUrl === null) return known;
    if (known.some((member) => member.memberId === now.leaderId)) return known;
    const assignment = { connectors: [], tasks: [] };
    return [...known, { memberId: now.leaderId, url: now.leaderUrl, draining: false, assignment }];
  }

  async function probe(url: string, memberIds: readonly string[], signal: AbortSignal): Promise<void> {
    probing.add(url);
    try {
      for (;;) {
        const answer = await transport.request("GET", `${url}headrace/self`, signal);
        if (signal.aborted) return;
        const { record, dead } = judge(records.get(url) ?? UNKNOWN_PEER, answer, memberIds);
        records.set(url, record);
        await Promise.all(dead.map((memberId) => bury(memberId, url, signal)));
        if (record.failures !== 1) return;
        await clock.sleep(DOUBT_INTERVAL_MS, signal);
      }
    } catch (error) {
      if (!signal.aborted) log.error({ url, error }, "probe of a worker failed");
    } finally {
      probing.delete(url);
    }
  }

  async function bury(memberId: string, url: string, signal: AbortSignal): Promise<void> {
    if (evicting.has(memberId)) return;
    evicting.add(memberId);
    log.warn({ memberId, url }, "a worker has died, removing it from the group");
    if (!(await options.evict(memberId, signal))) evicting.delete(memberId);
  }

  /** After each round a follower asks the leader who is there; a JVM leader answers 404 and is not asked again in that round. */
  async function followLeader(signal: AbortSignal): Promise<void> {
    let settled = -1;
    while (!signal.aborted) {
      const { generation, isLeader, leaderUrl } = view();
      if (isLeader || leaderUrl === null || generation < 0 || generation === settled) {
        await clock.sleep(LEADER_INFO_INTERVAL_MS, signal);
        continue;
      }
      const answer = await transport.request("GET", `${leaderUrl}headrace/group?forward=false`, signal);
      const parsed = answer.kind === "answered" && answer.status === 200 ? GroupInfo.safeParse(answer.body) : undefined;
      if (parsed?.success === true && parsed.data.generation >= generation && !parsed.data.rebalancing) {
        info = { leaderUrl, group: parsed.data };
        settled = generation;
        options.onLeaderInfo();
      }
      if (answer.kind === "answered" && answer.status === 404) settled = generation;
      if (settled !== generation) await clock.sleep(LEADER_INFO_INTERVAL_MS, signal);
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const targets = probeTargets(view(), members());
      if (records.size > MAX_RECORDS) for (const url of records.keys()) if (!targets.has(url)) records.delete(url);
      for (const [url, memberIds] of targets) if (!probing.has(url)) void probe(url, memberIds, signal);
      await clock.sleep(PROBE_INTERVAL_MS, signal);
    }
  }

  return {
    async run(signal) {
      try {
        await Promise.all([watch(signal), followLeader(signal)]);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
    urls: () => [...new Set(members().map((member) => member.url))].filter((url) => url !== "" && url !== options.url),
    async poke(urls) {
      await Promise.all(urls.map((url) => transport.request("POST", `${url}headrace/rejoin`, NEVER)));
    },
    leaderInfo: (generation) => (info !== null && info.group.generation === generation ? info.group : null),
  };
}
