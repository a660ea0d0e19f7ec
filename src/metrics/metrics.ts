import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ApiMetrics } from "../api/handler.ts";
import type { ConnectorMetrics } from "../connector/metrics.ts";
import type { ControllerMetrics } from "../controller/metrics.ts";
import type { CallObserver } from "../kube/api-call.ts";
import type { WebhookMetrics } from "../webhook/metrics.ts";
import { createControllersMetrics, SECONDS } from "./controller-metrics.ts";
import { createResourceMetrics, type ResourceMetrics } from "./resource-metrics.ts";

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

/** `selector`: the labels of the resources that the operator works on, as it was given; "" for all. */
export function createMetrics(selector = ""): OperatorMetrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  const controllers = createControllersMetrics(register, { selector });
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

  const strimziRestarts = new Counter({
    name: "strimzi_auto_restarts_total",
    help: "Automatic restarts of connectors and their tasks, under Strimzi's name.",
    labelNames: ["kind", "namespace", "selector"],
    registers,
  });

  return {
    resources: createResourceMetrics(register, selector),
    controller: controllers.of,
    calls: (method, status) => requests.inc({ method, code: status === null ? "<error>" : String(status) }),
    connectors: {
      autoRestarted({ namespace, name }, instances) {
        autoRestarts.inc({ namespace, connector: name }, instances);
        strimziRestarts.inc({ kind: "KafkaConnector", namespace, selector });
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
