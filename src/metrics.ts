import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ApiMetrics } from "./api/handler.ts";
import type { ConnectorMetrics } from "./connector/metrics.ts";
import type { ControllerMetrics } from "./controller/metrics.ts";
import type { CallObserver } from "./kube/api-call.ts";
import { createResourceMetrics, type ResourceMetrics } from "./resource-metrics.ts";
import type { WebhookMetrics } from "./webhook/metrics.ts";

/** The operator's series, under controller-runtime's and client-go's names, so that existing dashboards fit. */
export interface OperatorMetrics {
  /** Of the controller of this name, which reconciles resources of `kind`. */
  controller(name: string, kind: string): ControllerMetrics;
  readonly resources: ResourceMetrics;
  readonly calls: CallObserver;
  readonly connectors: ConnectorMetrics;
  readonly webhook: WebhookMetrics;
  readonly api: ApiMetrics;
  leading(isLeader: boolean): void;
  /** Prometheus text. */
  text(): Promise<string>;
  readonly contentType: string;
}

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];
/** The buckets of controller-runtime's `controller_runtime_reconcile_time_seconds`. */
const RECONCILE_SECONDS = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5],
  ...[1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60],
];

export function createMetrics(): OperatorMetrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  const total = new Counter({
    name: "controller_runtime_reconcile_total",
    help: "Reconciles by result.",
    labelNames: ["controller", "result"],
    registers,
  });
  const errors = new Counter({
    name: "controller_runtime_reconcile_errors_total",
    help: "Reconciles that failed.",
    labelNames: ["controller"],
    registers,
  });
  const duration = new Histogram({
    name: "controller_runtime_reconcile_time_seconds",
    help: "Duration of reconciles.",
    labelNames: ["controller"],
    buckets: RECONCILE_SECONDS,
    registers,
  });
  const active = new Gauge({
    name: "controller_runtime_active_workers",
    help: "Reconciles in flight.",
    labelNames: ["controller"],
    registers,
  });
  const adds = new Counter({
    name: "workqueue_adds_total",
    help: "Requests for a reconcile.",
    labelNames: ["name"],
    registers,
  });
  const depth = new Gauge({
    name: "workqueue_depth",
    help: "Keys that are due and wait.",
    labelNames: ["name"],
    registers,
  });
  const queued = new Histogram({
    name: "workqueue_queue_duration_seconds",
    help: "Time from due to started.",
    labelNames: ["name"],
    buckets: SECONDS,
    registers,
  });
  const requests = new Counter({
    name: "rest_client_requests_total",
    help: "Calls of the Kubernetes API by method and status; <error> without an answer.",
    labelNames: ["method", "code"],
    registers,
  });
  const leader = new Gauge({
    name: "leader_election_master_status",
    help: "1 while this operator leads.",
    labelNames: ["name"],
    registers,
  });

  const autoRestarts = new Counter({
    name: "headrace_connector_auto_restarts_total",
    help: "Instances (connectors and tasks) that were restarted automatically.",
    labelNames: ["namespace", "connector"],
    registers,
  });
  const exhausted = new Counter({
    name: "headrace_connector_restarts_exhausted_total",
    help: "Times that a connector used up its automatic restarts.",
    labelNames: ["namespace", "connector"],
    registers,
  });
  const operations = new Counter({
    name: "headrace_connector_operations_total",
    help: "Restarts and changes of offsets by annotation, by result.",
    labelNames: ["operation", "result"],
    registers,
  });

  const reviews = new Counter({
    name: "headrace_webhook_reviews_total",
    help: "Changes of resources that the API server asked about, by result.",
    labelNames: ["kind", "result"],
    registers,
  });
  const reviewDuration = new Histogram({
    name: "controller_runtime_webhook_latency_seconds",
    help: "Time to answer the API server about a change.",
    labelNames: ["webhook"],
    buckets: SECONDS,
    registers,
  });
  const apiRequests = new Counter({
    name: "headrace_api_requests_total",
    help: "Requests of people by method and status; <gone> if the caller left before the answer.",
    labelNames: ["method", "code"],
    registers,
  });
  const apiReviews = new Histogram({
    name: "headrace_api_review_seconds",
    help: "Time that the Kubernetes API took to say who a caller is (token) or what he may do (access).",
    labelNames: ["review"],
    buckets: SECONDS,
    registers,
  });

  const labelNames = ["kind", "namespace", "selector"] as const;
  const reconciliations = new Counter({
    name: "strimzi_reconciliations_total",
    help: "Reconciliations of resources, under Strimzi's name.",
    labelNames,
    registers,
  });
  const succeeded = new Counter({
    name: "strimzi_reconciliations_successful_total",
    help: "Reconciliations that succeeded.",
    labelNames,
    registers,
  });
  const failedOnes = new Counter({
    name: "strimzi_reconciliations_failed_total",
    help: "Reconciliations that failed.",
    labelNames,
    registers,
  });
  const durations = new Histogram({
    name: "strimzi_reconciliations_duration_seconds",
    help: "Duration of reconciliations.",
    labelNames,
    buckets: SECONDS,
    registers,
  });
  const strimziRestarts = new Counter({
    name: "strimzi_auto_restarts_total",
    help: "Automatic restarts of connectors and their tasks, under Strimzi's name.",
    labelNames,
    registers,
  });

  const RESULTS = { settled: "success", "retry-after": "requeue_after", failed: "error" } as const;

  return {
    resources: createResourceMetrics(register),
    controller: (name, kind) => ({
      added: () => adds.inc({ name }),
      started(queuedMs) {
        queued.observe({ name }, queuedMs / 1000);
        active.inc({ controller: name });
      },
      ended(result, durationMs, { namespace }) {
        const labels = { kind, namespace, selector: "" };
        reconciliations.inc(labels);
        (result === "failed" ? failedOnes : succeeded).inc(labels);
        durations.observe(labels, durationMs / 1000);
        active.dec({ controller: name });
        total.inc({ controller: name, result: RESULTS[result] });
        if (result === "failed") errors.inc({ controller: name });
        duration.observe({ controller: name }, durationMs / 1000);
      },
      depth: (keys) => depth.set({ name }, keys),
    }),
    calls: (method, status) => requests.inc({ method, code: status === null ? "<error>" : String(status) }),
    connectors: {
      autoRestarted({ namespace, name }, instances) {
        autoRestarts.inc({ namespace, connector: name }, instances);
        strimziRestarts.inc({ kind: "KafkaConnector", namespace, selector: "" });
      },
      restartsExhausted: ({ namespace, name }) => exhausted.inc({ namespace, connector: name }),
      operationEnded: (operation, result) => operations.inc({ operation, result }),
    },
    webhook: {
      reviewed(kind, result, durationMs) {
        reviews.inc({ kind, result });
        reviewDuration.observe({ webhook: kind }, durationMs / 1000);
      },
    },
    api: {
      answered: (method, status) => apiRequests.inc({ method, code: status === null ? "<gone>" : String(status) }),
      reviewed: (review, durationMs) => apiReviews.observe({ review }, durationMs / 1000),
    },
    leading: (isLeader) => leader.set({ name: "headrace-operator" }, isLeader ? 1 : 0),
    text: () => register.metrics(),
    contentType: register.contentType,
  };
}
