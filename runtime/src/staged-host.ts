import type { GroupHost } from "./group/group.ts";
import type { Stages } from "./stages.ts";

/** The group's host, whose steps are the worker's stages; wordings are the contract's (§5.0). */
export function stagedHost(host: GroupHost, stages: Pick<Stages, "during">): GroupHost {
  return {
    snapshot: () => host.snapshot(),
    renewLease: (sentAtMs, leaseMs) => host.renewLease(sentAtMs, leaseMs),
    refreshConfig: (signal) =>
      stages.during("reading to the end of the config topic", () => host.refreshConfig(signal)),
    assigned(round, signal) {
      const { connectors, tasks } = round.assignment;
      const count = connectors.length + tasks.length;
      return stages.during(`starting ${count} connector(s) and task(s) after a rebalance`, () =>
        host.assigned(round, signal),
      );
    },
    lost: (reason, signal) =>
      stages.during("stopping all connectors and tasks after membership in the cluster was lost", () =>
        host.lost(reason, signal),
      ),
  };
}
