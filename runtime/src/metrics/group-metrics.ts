import type { GroupView } from "../group/group.ts";
import type { GroupClient } from "../kafka/group-client.ts";
import { type MetricSettings, MetricWindow } from "../task/metric-window.ts";
import { CountedRate } from "../task/task-metrics.ts";

/** Metrics of this worker's membership, by the attribute names of connect-coordinator-metrics and connect-worker-rebalance-metrics. */
export interface GroupMetrics {
  /** The same client, measured. */
  measure(client: GroupClient): GroupClient;
  /** A view of the group, as the member tells it. */
  saw(view: GroupView): void;
  coordinator(): Readonly<Record<string, number>>;
  rebalances(): Readonly<Record<string, number>>;
}

const HOUR_IN_SECONDS = 3_600;

export function createGroupMetrics(settings: MetricSettings): GroupMetrics {
  const { now } = settings;
  const joins = new Timed(settings);
  const syncs = new Timed(settings);
  const heartbeats = new Timed(settings);
  const rounds = new Timed(settings);
  const failures = new CountedRate(settings);
  const rebalanceTimes = new MetricWindow(settings);
  let joiningSinceMs: number | null = null;
  let rebalancingSinceMs: number | null = null;
  let generation = -1;
  let completed = 0;
  let completedMs: number | null = null;

  const secondsSince = (ms: number | null) => (ms === null ? -1 : Math.floor((now() - ms) / 1_000));
  return {
    measure: (client) => ({
      leave: (memberId, signal) => client.leave(memberId, signal),
      members: (signal) => client.members(signal),
      close: () => client.close(),
      async join(request, signal) {
        const startedMs = now();
        joiningSinceMs ??= startedMs;
        const result = await client.join(request, signal);
        if (result.kind === "joined") joins.took(now() - startedMs, now());
        else if (result.kind !== "member-id-required") failures.add(1);
        return result;
      },
      async sync(request, signal) {
        const startedMs = now();
        const result = await client.sync(request, signal);
        if (result.kind !== "synced") {
          failures.add(1);
          return result;
        }
        syncs.took(now() - startedMs, now());
        rounds.took(now() - (joiningSinceMs ?? startedMs), now());
        joiningSinceMs = null;
        return result;
      },
      async heartbeat(identity, signal) {
        const startedMs = now();
        const result = await client.heartbeat(identity, signal);
        heartbeats.took(now() - startedMs, startedMs);
        return result;
      },
    }),
    saw(view) {
      if (view.rebalancing) rebalancingSinceMs ??= now();
      if (view.rebalancing || view.leaderUrl === null || view.generation === generation) return;
      generation = view.generation;
      completed += 1;
      completedMs = now();
      if (rebalancingSinceMs !== null) rebalanceTimes.record(now() - rebalancingSinceMs);
      rebalancingSinceMs = null;
    },
    coordinator: () => ({
      "join-rate": joins.count.rate(),
      "join-total": joins.count.total(),
      "join-time-avg": joins.times.average(),
      "join-time-max": joins.times.max(),
      "sync-rate": syncs.count.rate(),
      "sync-total": syncs.count.total(),
      "sync-time-avg": syncs.times.average(),
      "sync-time-max": syncs.times.max(),
      "heartbeat-rate": heartbeats.count.rate(),
      "heartbeat-total": heartbeats.count.total(),
      "heartbeat-response-time-max": heartbeats.times.max(),
      "last-heartbeat-seconds-ago": secondsSince(heartbeats.lastMs),
      "rebalance-rate-per-hour": rounds.count.rate() * HOUR_IN_SECONDS,
      "rebalance-total": rounds.count.total(),
      "rebalance-latency-avg": rounds.times.average(),
      "rebalance-latency-max": rounds.times.max(),
      "rebalance-latency-total": rounds.totalMs,
      "failed-rebalance-rate-per-hour": failures.rate() * HOUR_IN_SECONDS,
      "failed-rebalance-total": failures.total(),
      "last-rebalance-seconds-ago": secondsSince(rounds.lastMs),
    }),
    rebalances: () => ({
      "completed-rebalances-total": completed,
      "rebalance-max-time-ms": rebalanceTimes.max(),
      "rebalance-avg-time-ms": rebalanceTimes.average(),
      "time-since-last-rebalance-ms": completedMs === null ? 0 : now() - completedMs,
    }),
  };
}

/** How often something happened, and how long it took. */
class Timed {
  readonly count: CountedRate;
  readonly times: MetricWindow;
  totalMs = 0;
  lastMs: number | null = null;

  constructor(settings: MetricSettings) {
    this.count = new CountedRate(settings);
    this.times = new MetricWindow(settings);
  }

  took(durationMs: number, atMs: number): void {
    this.count.add(1);
    this.times.record(durationMs);
    this.totalMs += durationMs;
    this.lastMs = atMs;
  }
}
