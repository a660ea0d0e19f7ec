import { unlessAborted } from "../kafka/cluster.ts";
import type { Assigned, Assignment, GroupHost } from "./group.ts";
import type { ProtocolVersion, RoundAssignment } from "./protocol.ts";
import { intersection, NO_WORK, union, without } from "./work.ts";

/** What a member has been given, and what its host was told to run of it. */
export interface Holdings {
  /** What the leader has given; claimed at the next join. */
  held(): Assignment;
  /** What the host was told to run: lacks new work as long as the config topic could not be read. */
  running(): Assignment;
  /** The host may be running something. */
  isHostInvolved(): boolean;
  /** Takes a leader's answer in; returns what has to stop. */
  take(told: RoundAssignment, version: ProtocolVersion): Assignment;
  /** Nothing is held any more (eager protocol); returns what has to stop. */
  giveUp(): Assignment;
  /** Rejects when `signal` aborts; the host may then still be busy with it. */
  tell(round: Assigned, signal: AbortSignal): Promise<void>;
  /** Nothing is held any more; resolves when the host has stopped everything, and is done with what it was told before. */
  lose(reason: string, signal: AbortSignal): Promise<void>;
}

export function createHoldings(host: Pick<GroupHost, "assigned" | "lost">): Holdings {
  let held = NO_WORK;
  let running = NO_WORK;
  let isHostInvolved = false;
  let applying: Promise<void> = Promise.resolve();

  return {
    held: () => held,
    running: () => running,
    isHostInvolved: () => isHostInvolved,
    take(told, version) {
      const revoked = version === 0 ? without(held, told.assigned) : intersection(held, told.revoked);
      held = version === 0 ? told.assigned : union(without(held, revoked), told.assigned);
      return revoked;
    },
    giveUp() {
      held = NO_WORK;
      return running;
    },
    async tell(round, signal) {
      isHostInvolved = true;
      running = round.assignment;
      const done = host.assigned(round, signal);
      applying = done.catch(() => {});
      await unlessAborted(done, signal);
    },
    async lose(reason, signal) {
      held = NO_WORK;
      running = NO_WORK;
      if (!isHostInvolved) return;
      await Promise.all([host.lost(reason, signal), applying]);
      isHostInvolved = false;
    },
  };
}
