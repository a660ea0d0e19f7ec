import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildWorkerContainer } from "#operator/cluster/container.ts";
import { rackMissing, rackWithoutEffect } from "#operator/cluster/rack.ts";
import { renderWorkerProperties } from "#operator/cluster/worker-properties.ts";
import { kafkaConnect, workerPod } from "#support/connect-objects.ts";

const ZONE = "topology.kubernetes.io/zone";
const byLabel = (topologyKey: string) => kafkaConnect({ rack: { type: "topology-label", topologyKey } });

describe("rack of the workers", () => {
  const onNode = (ordinal: number, labels: Readonly<Record<string, string>> = {}) => {
    const pod = workerPod(ordinal);
    const spec = { containers: [], nodeName: "a" };
    return { ...pod, spec, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...labels } } };
  };

  it("comes from the zone or region that the pod is told, with no right to look at nodes", () => {
    for (const label of [ZONE, "topology.kubernetes.io/region"]) {
      const connect = byLabel(label);
      const variable = buildWorkerContainer(connect, "w").env.find(
        (one) => "name" in one && one.name === "HEADRACE_RACK",
      );
      assert.deepEqual(variable, {
        name: "HEADRACE_RACK",
        valueFrom: { fieldRef: { fieldPath: `metadata.labels['${label}']` } },
      });
      assert.match(renderWorkerProperties(connect).text, /^consumer\.client\.rack=\$\{env:HEADRACE_RACK\}$/m);
      assert.deepEqual(rackWithoutEffect(connect.spec), []);
    }
  });

  it("is nothing that changes pods where none is asked for, or by a label that pods do not get", () => {
    const plain = buildWorkerContainer(kafkaConnect(), "w");
    assert.deepEqual(buildWorkerContainer(byLabel("rack"), "w"), plain);
    const variable = kafkaConnect({ rack: { type: "environment-variable", envVarName: "RACK" } });
    assert.deepEqual(buildWorkerContainer(variable, "w"), plain);
  });

  it("is told as missing where pods on nodes have no such label", () => {
    const { spec } = byLabel(ZONE);
    assert.deepEqual(rackMissing(spec, [onNode(0, { [ZONE]: "eu-1a" }), workerPod(1)]), []);
    const [warning] = rackMissing(spec, [onNode(2), onNode(1), onNode(0, { [ZONE]: "eu-1a" })]);
    assert.match(warning ?? "", /^spec\.rack has no effect for my-connect-connect-1 and 1 more: .* 1\.35/);
    assert.deepEqual(rackMissing(byLabel("rack").spec, [onNode(0)]), []);
  });
});
