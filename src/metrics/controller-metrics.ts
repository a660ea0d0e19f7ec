import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { ControllerMetrics } from "../controller/metrics.ts";
import type { ObjectKey } from "../kube/client.ts";
import { createRecentMax, type RecentMax } from "./recent-max.ts";

/** Buckets of durations, in seconds. */
export const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];
/** The buckets of controller-runtime's `controller_runtime_reconcile_time_seconds`. */
const RECONCILE_SECONDS = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5],
  ...[1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60],
];
const RESULTS = { settled: "success", "retry-after": "requeue_after", failed: "error" } as const;
const MAX_WINDOW_MS = 60_000;

/** Controllers' series, under controller-runtime's, client-go's and Strimzi's names. */
export interface ControllersMetrics {
  /** Of the controller of this name, which reconciles resources of `kind`. */
  of(name: string, kind: string): ControllerMetrics;
}

/** Creates them; `now` is monotonic, in milliseconds. `selector`: the labels of the resources that the operator works on. */
export function createControllersMetrics(
  register: Registry,
  { selector = "", now = () => performance.now() }: { readonly selector?: string; readonly now?: () => number } = {},
): ControllersMetrics {
  const runtime = createRuntimeSeries(register, now);
  const strimzi = createStrimziSeries(register, now);
  return {
    of: (name, kind) => ({
      limit: (reconciles) => runtime.limit.set({ controller: name }, reconciles),
      added: () => runtime.adds.inc({ name }),
      resynced: ({ namespace }) => strimzi.periodical.inc({ kind, namespace, selector }),
      started(queuedMs, key) {
        runtime.queued.observe({ name }, queuedMs / 1000);
        runtime.active.inc({ controller: name });
        runtime.inWork.begin(name, key);
      },
      ended(result, durationMs, key) {
        runtime.inWork.end(name, key);
        runtime.active.dec({ controller: name });
        runtime.total.inc({ controller: name, result: RESULTS[result] });
        if (result === "failed") runtime.errors.inc({ controller: name });
        if (result !== "settled") runtime.retries.inc({ name });
        runtime.duration.observe({ controller: name }, durationMs / 1000);
        runtime.worked.observe({ name }, durationMs / 1000);
        strimzi.ended({ kind, namespace: key.namespace, selector }, result === "failed", durationMs);
      },
      depth: (keys) => runtime.depth.set({ name }, keys),
    }),
  };
}

function createRuntimeSeries(register: Registry, now: () => number) {
  const registers = [register];
  const controller = { labelNames: ["controller"], registers };
  const queue = { labelNames: ["name"], registers };
  /** By controller and key: when its reconcile began. */
  const began = new Map<string, Map<string, number>>();

  function seconds(name: string): readonly number[] {
    return [...(began.get(name)?.values() ?? [])].map((atMs) => (now() - atMs) / 1000);
  }

  new Gauge({
    ...queue,
    name: "workqueue_unfinished_work_seconds",
    help: "Time that the reconciles in flight have taken so far, added up.",
    collect() {
      for (const name of began.keys())
        this.set(
          { name },
          seconds(name).reduce((sum, one) => sum + one, 0),
        );
    },
  });
  new Gauge({
    ...queue,
    name: "workqueue_longest_running_processor_seconds",
    help: "Time that the longest reconcile in flight has taken so far.",
    collect() {
      for (const name of began.keys()) this.set({ name }, Math.max(0, ...seconds(name)));
    },
  });
  return {
    total: new Counter({
      name: "controller_runtime_reconcile_total",
      help: "Reconciles by result.",
      labelNames: ["controller", "result"],
      registers,
    }),
    errors: new Counter({
      ...controller,
      name: "controller_runtime_reconcile_errors_total",
      help: "Reconciles that failed.",
    }),
    duration: new Histogram({
      ...controller,
      name: "controller_runtime_reconcile_time_seconds",
      help: "Duration of reconciles.",
      buckets: RECONCILE_SECONDS,
    }),
    active: new Gauge({ ...controller, name: "controller_runtime_active_workers", help: "Reconciles in flight." }),
    limit: new Gauge({
      ...controller,
      name: "controller_runtime_max_concurrent_reconciles",
      help: "Reconciles that may be at work at a time; those that wait for a worker are not counted.",
    }),
    adds: new Counter({ ...queue, name: "workqueue_adds_total", help: "Requests for a reconcile." }),
    depth: new Gauge({ ...queue, name: "workqueue_depth", help: "Keys that are due and wait." }),
    queued: new Histogram({
      ...queue,
      name: "workqueue_queue_duration_seconds",
      help: "Time from due to started.",
      buckets: SECONDS,
    }),
    worked: new Histogram({
      ...queue,
      name: "workqueue_work_duration_seconds",
      help: "Time from started to done.",
      buckets: SECONDS,
    }),
    retries: new Counter({
      ...queue,
      name: "workqueue_retries_total",
      help: "Keys that were to be looked at again after a pause, because a reconcile failed or asked for it.",
    }),
    inWork: {
      begin(name: string, key: ObjectKey) {
        const keys = began.get(name) ?? new Map<string, number>();
        began.set(name, keys.set(`${key.namespace}/${key.name}`, now()));
      },
      end: (name: string, key: ObjectKey) => began.get(name)?.delete(`${key.namespace}/${key.name}`),
    },
  };
}

interface StrimziLabels {
  readonly kind: string;
  readonly namespace: string;
  readonly selector: string;
}

function createStrimziSeries(register: Registry, now: () => number) {
  const common = { labelNames: ["kind", "namespace", "selector"] as const, registers: [register] };
  const longest = new Map<string, { readonly labels: StrimziLabels; readonly max: RecentMax }>();
  const total = new Counter({
    ...common,
    name: "strimzi_reconciliations_total",
    help: "Reconciliations of resources, under Strimzi's name.",
  });
  const succeeded = new Counter({
    ...common,
    name: "strimzi_reconciliations_successful_total",
    help: "Reconciliations that succeeded.",
  });
  const failed = new Counter({
    ...common,
    name: "strimzi_reconciliations_failed_total",
    help: "Reconciliations that failed.",
  });
  const durations = new Histogram({
    ...common,
    name: "strimzi_reconciliations_duration_seconds",
    help: "Duration of reconciliations.",
    buckets: SECONDS,
  });
  new Gauge({
    ...common,
    name: "strimzi_reconciliations_duration_seconds_max",
    help: "Duration of the longest reconciliation of the last minute or two.",
    collect() {
      for (const { labels, max } of longest.values()) this.set({ ...labels }, max.value());
    },
  });

  function longestOf(labels: StrimziLabels): RecentMax {
    const id = `${labels.kind}/${labels.namespace}`;
    const { max } = longest.get(id) ?? { max: createRecentMax({ windowMs: MAX_WINDOW_MS, now }) };
    longest.set(id, { labels, max });
    return max;
  }

  return {
    periodical: new Counter({
      ...common,
      name: "strimzi_reconciliations_periodical_total",
      help: "Reconciliations for which nothing but the time was the reason.",
    }),
    ended(labels: StrimziLabels, hasFailed: boolean, durationMs: number) {
      total.inc({ ...labels });
      (hasFailed ? failed : succeeded).inc({ ...labels });
      durations.observe({ ...labels }, durationMs / 1000);
      longestOf(labels).note(durationMs / 1000);
    },
  };
}
