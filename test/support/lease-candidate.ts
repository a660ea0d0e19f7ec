import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { loadConnection } from "#operator/kube/config.ts";
import { createLeaderElection, LEASE_TIMES } from "#operator/kube/lease.ts";
import { type Event, Events } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { openTestClient } from "./kube-client.ts";

/**
 * A process that takes part in a leader election and, while it leads, creates objects one after another as fast as it can:
 * their order in the API tells who wrote when. Arguments: kubeconfig, namespace, identity, lease duration, and after which write
 * it stops itself, as a machine that is suspended (never, if not given).
 */
const [kubeconfig = "", namespace = "", identity = "", durationMs = "0", sleepAfter = "-1"] = process.argv.slice(2);
const connection = loadConnection({ kubeconfig, env: {} });
const log = createLog("silent");
const election = createLeaderElection({
  client: openTestClient(connection).client,
  lease: { namespace, name: "election" },
  identity,
  log,
  times: { ...LEASE_TIMES, durationMs: Number(durationMs), renewDeadlineMs: Number(durationMs) / 2, retryMs: 100 },
});
const { client } = openTestClient(connection, { fence: election.fence });

function mark(number: number): Event {
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${identity}-${process.pid}-${number}`, namespace },
    involvedObject: { namespace },
    reason: identity,
  };
}

async function write(signal: AbortSignal): Promise<void> {
  process.stdout.write("leading\n");
  for (let number = 0; !signal.aborted; number += 1) {
    await client.create(Events, mark(number), signal).catch(() => undefined);
    if (number === Number(sleepAfter)) {
      process.kill(process.pid, "SIGSTOP");
      // It goes on with the next write: before any timer, over a connection that is open.
      await setImmediate();
    } else await sleep(20, undefined, { signal }).catch(() => undefined);
  }
  process.stdout.write("stopped\n");
}

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
await election.run(write, stop.signal);
process.exit(0);
