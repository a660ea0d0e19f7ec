import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { withDeadline } from "../deadline.ts";
import type { KubeClient, ObjectKey } from "./client.ts";
import { isKubeError, KubeError } from "./errors.ts";
import { type LeaseTimes, look, type Observation } from "./lease-state.ts";
import { type Lease, Leases } from "./resources.ts";

/** client-go's times: others take over 15 s after the last renewal, a holder gives up after 10 s. */
export const LEASE_TIMES: LeaseTimes = { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };

/** Lets one of several candidates work at a time. */
export interface LeaderElection {
  /** True while our lease allows work. */
  isLeader(): boolean;
  /** Throws KubeError `fenced` unless our lease allows work at this very moment; guards writes of a process that was paused. */
  fence(): void;
  /**
   * Campaigns, works while leading, campaigns again when the lease could not be renewed. When `signal` aborts it waits for the
   * work to end and gives the lease back.
   *
   * Guarantees: the signal given to `work` aborts before anybody else can hold the lease; if the work does not end in
   * good time before that, `run` throws, and the process must end.
   */
  run(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
}

/** Two ways to measure what passed, for the two sides of safety. */
export interface LeaseClocks {
  /** For our own lease: must not miss time, as when the machine slept; rather fast than slow. */
  readonly holding: () => number;
  /** For the lease of others: must not jump ahead; rather slow than fast. */
  readonly observing: () => number;
}

/** What an election is about. */
export interface LeaderElectionOptions {
  /** Must not be fenced by this election. */
  readonly client: KubeClient;
  readonly lease: ObjectKey;
  /** Unique per process, not only per pod: a restarted container must not take itself for its predecessor. */
  readonly identity: string;
  readonly log: Logger;
  readonly times?: LeaseTimes;
  readonly clocks?: LeaseClocks;
  readonly random?: () => number;
}

/** Monotonic time does not pass while a machine is suspended, wall time may be set: the holder believes whichever says more. */
export function createLeaseClocks(
  monotonic: () => number = () => performance.now(),
  wall: () => number = Date.now,
): LeaseClocks {
  let [lastMonotonic, lastWall, elapsed] = [monotonic(), wall(), 0];
  return {
    observing: monotonic,
    holding() {
      const [nowMonotonic, nowWall] = [monotonic(), wall()];
      elapsed += Math.max(nowMonotonic - lastMonotonic, nowWall - lastWall, 0);
      [lastMonotonic, lastWall] = [nowMonotonic, nowWall];
      return elapsed;
    },
  };
}

export function createLeaderElection(options: LeaderElectionOptions): LeaderElection {
  const { client, lease: key, identity, log, times = LEASE_TIMES, random = Math.random } = options;
  const { durationMs, renewDeadlineMs, retryMs } = times;
  const clocks = options.clocks ?? createLeaseClocks();
  let observation: Observation | null = null;
  /** By the holding clock; null while we are a candidate. */
  let workUntilMs: number | null = null;

  const isLeader = () => workUntilMs !== null && clocks.holding() < workUntilMs;

  /** One look and one move. True if the lease is ours afterwards, from the time when we began to ask for it. */
  async function tryToHold(signal: AbortSignal): Promise<boolean> {
    const askedAtMs = clocks.holding();
    const current = await client.get(Leases, key, signal);
    const seen = look(current, identity, observation, clocks.observing(), durationMs);
    observation = seen.observation;
    try {
      switch (seen.move.kind) {
        case "wait":
          return false;
        case "create":
          observe(await client.create(Leases, newLease(key, spec(0, false)), signal));
          break;
        case "take": {
          const { resourceVersion, transitions, renewal } = seen.move;
          const patch = { metadata: { resourceVersion }, spec: spec(transitions, renewal) };
          observe(await client.patch(Leases, key, patch, signal));
          break;
        }
        default:
          throw new Error(`unreachable: ${seen.move satisfies never}`);
      }
    } catch (error) {
      if (isKubeError(error, "conflict", "already-exists", "not-found")) return false;
      throw error;
    }
    workUntilMs = askedAtMs + renewDeadlineMs;
    return true;
  }

  function observe(written: Lease): void {
    observation = { resourceVersion: written.metadata.resourceVersion ?? "", seenAtMs: clocks.observing() };
  }

  function spec(transitions: number, renewal: boolean) {
    const now = microTime();
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      renewTime: now,
      leaseTransitions: transitions,
      ...(renewal ? {} : { acquireTime: now }),
    };
  }

  async function pause(signal: AbortSignal): Promise<void> {
    await sleep(retryMs * (0.8 + 0.4 * random()), undefined, { signal }).catch(() => undefined);
  }

  async function campaign(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (await withDeadline(renewDeadlineMs, tryToHold, signal)) return;
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error, lease: key }, "looking at the leader lease failed");
      }
      await pause(signal);
    }
  }

  /** Renews until the lease is lost or `signal` aborts. */
  async function holdOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && isLeader()) {
      await pauseAtMost(workUntilMs === null ? 0 : workUntilMs - clocks.holding(), signal);
      if (signal.aborted || !isLeader() || workUntilMs === null) return;
      try {
        if (!(await withDeadline(workUntilMs - clocks.holding(), tryToHold, signal))) return;
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error, lease: key }, "renewing the leader lease failed");
      }
    }
  }

  async function pauseAtMost(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(Math.max(0, Math.min(retryMs, ms)), undefined, { signal }).catch(() => undefined);
  }

  async function lead(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const leading = new AbortController();
    const ended = new AbortController();
    const abort = () => leading.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const working = work(leading.signal).finally(() => ended.abort());
    working.catch(() => undefined);
    // Renewing goes on until the work has ended, also while it is stopping on request.
    const holding = holdOn(ended.signal).then(() => {
      if (ended.signal.aborted) return;
      log.warn({ lease: key, identity }, "leadership lost");
      leading.abort(new KubeError("fenced", "the leader lease could not be renewed in time"));
    });
    try {
      await holding;
      if (!ended.signal.aborted) await endsInTime(working);
      await working;
    } finally {
      signal.removeEventListener("abort", abort);
      if (isLeader()) await release();
      workUntilMs = null;
    }
  }

  /** Half of what is left of the lease after our own deadline is for stopping the work, the rest for ending the process. */
  async function endsInTime(working: Promise<void>): Promise<void> {
    const graceMs = (durationMs - renewDeadlineMs) / 2;
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`the work did not end within ${graceMs} ms after the leader lease was lost`)),
      graceMs,
    );
    await Promise.race([working, promise]).finally(() => clearTimeout(timer));
  }

  async function release(): Promise<void> {
    try {
      await withDeadline(retryMs, giveBack, new AbortController().signal);
    } catch (error) {
      log.warn({ err: error, lease: key }, "giving back the leader lease failed");
    }
  }

  async function giveBack(signal: AbortSignal): Promise<void> {
    const current = await client.get(Leases, key, signal);
    if (current?.spec?.holderIdentity !== identity) return;
    const { resourceVersion } = current.metadata;
    const free = { holderIdentity: "", leaseDurationSeconds: 1, renewTime: microTime() };
    await client.patch(Leases, key, { metadata: { resourceVersion }, spec: free }, signal);
  }

  return {
    isLeader,
    fence() {
      if (!isLeader()) throw new KubeError("fenced", "not the leader");
    },
    async run(work, signal) {
      while (!signal.aborted) {
        await campaign(signal);
        if (!isLeader()) continue;
        log.info({ lease: key, identity }, "leading");
        await lead(work, signal);
      }
    },
  };
}

function newLease(key: ObjectKey, spec: NonNullable<Lease["spec"]>): Lease {
  return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { ...key }, spec };
}

/** Now as `metav1.MicroTime`. */
function microTime(): string {
  return new Date().toISOString().replace("Z", "000Z");
}
