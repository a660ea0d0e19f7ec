import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Registry } from "prom-client";
import { createControllersMetrics } from "#operator/metrics/controller-metrics.ts";
import { createMetrics } from "#operator/metrics/metrics.ts";
import { kafkaConnector } from "#support/connect-objects.ts";

describe("metrics", () => {
  it("counts reconciles under controller-runtime's names and Strimzi's", async () => {
    const metrics = createMetrics();
    const controller = metrics.controller("connector", "KafkaConnector");
    const key = { namespace: "ns", name: "a" };
    controller.limit(3);
    controller.added();
    controller.resynced(key);
    controller.started(5, key);
    controller.ended("settled", 20, key);
    controller.started(5, key);
    controller.ended("failed", 20, key);
    controller.depth(3);
    metrics.calls("GET", 200);
    metrics.calls("GET", null);
    metrics.leading(true);
    metrics.webhook.reviewed("KafkaConnector", "denied", 30);
    const text = await metrics.text();
    for (const line of [
      'headrace_webhook_reviews_total{kind="KafkaConnector",result="denied"} 1',
      'controller_runtime_webhook_latency_seconds_count{webhook="KafkaConnector"} 1',
      'controller_runtime_reconcile_total{controller="connector",result="success"} 1',
      'controller_runtime_reconcile_total{controller="connector",result="error"} 1',
      'controller_runtime_reconcile_errors_total{controller="connector"} 1',
      'controller_runtime_reconcile_time_seconds_count{controller="connector"} 2',
      'controller_runtime_active_workers{controller="connector"} 0',
      'workqueue_adds_total{name="connector"} 1',
      'workqueue_depth{name="connector"} 3',
      'controller_runtime_max_concurrent_reconciles{controller="connector"} 3',
      'workqueue_queue_duration_seconds_count{name="connector"} 2',
      'workqueue_work_duration_seconds_count{name="connector"} 2',
      'workqueue_retries_total{name="connector"} 1',
      'workqueue_unfinished_work_seconds{name="connector"} 0',
      'workqueue_longest_running_processor_seconds{name="connector"} 0',
      'rest_client_requests_total{method="GET",code="200"} 1',
      'rest_client_requests_total{method="GET",code="<error>"} 1',
      'leader_election_master_status{name="headrace-operator"} 1',
      'strimzi_reconciliations_total{kind="KafkaConnector",namespace="ns",selector=""} 2',
      'strimzi_reconciliations_successful_total{kind="KafkaConnector",namespace="ns",selector=""} 1',
      'strimzi_reconciliations_failed_total{kind="KafkaConnector",namespace="ns",selector=""} 1',
      'strimzi_reconciliations_periodical_total{kind="KafkaConnector",namespace="ns",selector=""} 1',
      'strimzi_reconciliations_duration_seconds_max{kind="KafkaConnector",namespace="ns",selector=""} 0.02',
    ])
      assert.ok(text.includes(`${line}\n`), line);
  });

  it("tells how long reconciles in flight have taken, and forgets the longest after a while", async () => {
    let nowMs = 1_000;
    const register = new Registry();
    const controller = createControllersMetrics(register, { now: () => nowMs }).of("cluster", "KafkaConnect");
    const [a, b] = ["a", "b"].map((name) => ({ namespace: "ns", name }));
    assert.ok(a !== undefined && b !== undefined);
    controller.started(0, a);
    nowMs += 2_000;
    controller.started(0, b);
    nowMs += 1_000;
    const text = await register.metrics();
    assert.match(text, /workqueue_unfinished_work_seconds\{name="cluster"\} 4\n/);
    assert.match(text, /workqueue_longest_running_processor_seconds\{name="cluster"\} 3\n/);
    controller.ended("settled", 3_000, a);
    const longest = async () => /duration_seconds_max\{[^}]*\} (\S+)/.exec(await register.metrics())?.[1];
    assert.equal(await longest(), "3");
    nowMs += 60_000;
    assert.equal(await longest(), "3");
    nowMs += 60_000;
    assert.equal(await longest(), "0");
  });

  it("tells of each resource what its conditions say, and forgets what is gone", async () => {
    const metrics = createMetrics();
    const of = (name: string, type: string, status: "True" | "False", reason: string) =>
      kafkaConnector({}, { metadata: { name }, status: { conditions: [{ type, status, reason }] } });
    let list = [
      of("a", "Ready", "True", "Running"),
      of("b", "Ready", "False", "TasksFailed"),
      of("c", "ReconciliationPaused", "True", "Paused"),
    ];
    const end = metrics.resources.follow("KafkaConnector", () => list);
    const text = await metrics.text();
    assert.match(text, /strimzi_resources\{kind="KafkaConnector",namespace="ns",selector=""\} 3\n/);
    assert.match(text, /strimzi_resources_paused\{kind="KafkaConnector",namespace="ns",selector=""\} 1\n/);
    assert.match(text, /headrace_resource_ready\{kind="KafkaConnector",namespace="ns",name="a",reason="Running"\} 1\n/);
    assert.match(
      text,
      /headrace_resource_ready\{kind="KafkaConnector",namespace="ns",name="b",reason="TasksFailed"\} 0\n/,
    );
    list = list.slice(0, 1);
    assert.doesNotMatch(await metrics.text(), /name="b"/);
    end();
    assert.doesNotMatch(await metrics.text(), /strimzi_resources\{/);
  });
});
