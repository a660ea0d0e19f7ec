import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { givenCluster } from "#dev/e2e/given-cluster.ts";

const ALL = {
  HEADRACE_KUBECONFIG: "/home/me/kubeconfig",
  HEADRACE_E2E_KAFKA: "172.18.0.1:9092",
  HEADRACE_E2E_PLUGIN_IMAGE: "registry.test/beats:1.0.0",
  HEADRACE_E2E_DATA_DIR: "/tmp/data",
  HEADRACE_E2E_AUDIT_LOG: "/tmp/audit.log",
};

describe("a cluster that is given", () => {
  it("is none without a kubeconfig", () => {
    assert.equal(givenCluster({ ...ALL, HEADRACE_KUBECONFIG: undefined }), null);
    assert.equal(givenCluster({ HEADRACE_KUBECONFIG: "" }), null);
  });

  it("is what the variables say, with the images where the chart has them", () => {
    const expected = {
      kubeconfig: "/home/me/kubeconfig",
      bootstrap: "172.18.0.1:9092",
      registry: "ghcr.io/headrace",
      pluginImage: "registry.test/beats:1.0.0",
      dataDir: "/tmp/data",
      auditLog: "/tmp/audit.log",
    };
    assert.deepEqual(givenCluster(ALL), expected);
    const elsewhere = { ...ALL, HEADRACE_E2E_REGISTRY: "registry.test/headrace" };
    assert.deepEqual(givenCluster(elsewhere), { ...expected, registry: "registry.test/headrace" });
  });

  it("is refused with all that is missing or wrong", () => {
    const problems = givenCluster({
      ...ALL,
      HEADRACE_E2E_KAFKA: "kafka.test:9092",
      HEADRACE_E2E_DATA_DIR: "",
      HEADRACE_E2E_AUDIT_LOG: undefined,
    });
    assert.ok(Array.isArray(problems));
    assert.deepEqual(
      problems.map((problem: string) => problem.split(/ is |:/)[0]),
      ["HEADRACE_E2E_DATA_DIR", "HEADRACE_E2E_AUDIT_LOG", "HEADRACE_E2E_KAFKA"],
    );
  });
});
