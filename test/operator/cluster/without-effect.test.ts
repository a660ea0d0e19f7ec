import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withoutEffect } from "#operator/cluster/without-effect.ts";
import type { KafkaConnect } from "#operator/kinds.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

const JAR = { name: "p", artifacts: [{ type: "jar" as const, url: "https://x/y.jar" }] };
const JVM: Partial<KafkaConnect["spec"]> = {
  jvmOptions: { "-Xmx": "1g", gcLoggingEnabled: true },
  jmxOptions: {},
  tracing: { type: "opentelemetry" },
  metricsConfig: { type: "strimziMetricsReporter" },
  build: { output: { type: "docker", image: "x" }, plugins: [JAR] },
};

describe("withoutEffect", () => {
  it("has nothing to say about a plain cluster", () => {
    assert.deepEqual(withoutEffect(kafkaConnect().spec), []);
  });

  it("names what only a Java virtual machine could use", () => {
    assert.deepEqual(withoutEffect(kafkaConnect(JVM).spec), [
      "Not used, since they are for runtime: Jvm only: spec.jvmOptions, spec.jmxOptions, spec.tracing, spec.build.",
      "spec.metricsConfig has no effect on Headrace's workers: each serves its metrics, under the JMX exporter's usual names, at /metrics of port 9404.",
    ]);
  });

  it("uses it with runtime: Jvm, but builds no image", () => {
    assert.deepEqual(withoutEffect(kafkaConnect({ ...JVM, runtime: "Jvm" }).spec), [
      "Without effect here: spec.build.output.",
      "spec.metricsConfig is not applied: spec.build has no artifact client-metrics-reporter, of type maven, or a file client-metrics-reporter-….jar.",
      "spec.tracing is not applied: spec.build has no artifact opentelemetry-javaagent, of type maven, or a file opentelemetry-javaagent-….jar.",
    ]);
  });

  it("names what other operators need, and volumes that pods cannot have", () => {
    const template = { buildPod: {}, clusterRoleBinding: {}, pod: { templatedVolumes: [{ name: "a", secret: {} }] } };
    const [first, second] = withoutEffect(kafkaConnect({ clientRackInitImage: "x", template }).spec);
    assert.equal(
      first,
      "Without effect here: spec.clientRackInitImage, spec.template.clusterRoleBinding, spec.template.buildPod.",
    );
    assert.match(second ?? "", /templatedVolumes is not applied.*spec\.template\.pod\.volumes/);
  });

  it("names a rack that workers cannot find out", () => {
    const [warning] = withoutEffect(kafkaConnect({ rack: { type: "topology-label", topologyKey: "zone" } }).spec);
    assert.match(warning ?? "", /topologyKey zone is not applied.*or type environment-variable/);
  });
});
