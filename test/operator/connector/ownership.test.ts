import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectorSnapshot } from "@headrace/contract";
import type { ClusterSight, ObservedConnector } from "#operator/connector/observe.ts";
import { owns } from "#operator/connector/ownership.ts";
import { plan } from "#operator/connector/plan.ts";
import { toWanted } from "#operator/connector/wanted.ts";
import type { KafkaConnector } from "#operator/kinds.ts";
import { kafkaConnector } from "#support/connect-objects.ts";

const FREE = { claim: { allowed: true, rival: null }, paused: false, identity: {} };
const WORKER = { cluster: { namespace: "ns", name: "my-connect" }, ip: "10.0.0.1" };

/** The cluster runs a connector with exactly the configuration that the resource asks for. */
function sight(resource: KafkaConnector): ClusterSight {
  const { config } = toWanted(resource);
  const actual: ConnectorSnapshot = { config, targetState: "STARTED", taskCount: 1, status: null, topics: [] };
  return {
    kind: "live",
    namespace: "ns",
    name: "my-connect",
    uid: "uid of my-connect",
    worker: WORKER,
    actual,
    plugins: [],
  };
}

describe("ownership (invariant 8)", () => {
  it("is not proven by a configuration that is invalid, though it looks the same", () => {
    const resource = kafkaConnector({ config: { bad: null } });
    const wanted = toWanted(resource);
    assert.notDeepEqual(wanted.problems, []);
    const observed: ObservedConnector = { resource, cluster: sight(resource), owner: null, ...FREE };
    assert.equal(owns(observed, wanted, observed.cluster), false);
  });

  it("lets a resource without the finalizer delete nothing", () => {
    const made = kafkaConnector();
    const metadata = { ...made.metadata, deletionTimestamp: "2026-01-01T00:10:00Z", finalizers: [] };
    const resource = { ...made, metadata };
    const cluster = sight(resource);
    const observed: ObservedConnector = { resource, cluster, owner: cluster, ...FREE };
    const nowMs = Date.parse("2026-01-01T00:10:01Z");
    const action = plan({
      observed,
      wanted: toWanted(resource),
      request: null,
      restarts: null,
      changedSources: [],
      startPending: false,
      refused: false,
      echo: null,
      nowMs,
    });
    assert.equal(action.kind, "blocked");
  });
});
