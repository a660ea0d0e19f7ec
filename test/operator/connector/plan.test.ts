import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectorSnapshot } from "@headrace/contract";
import type { ClusterSight, ObservedConnector } from "#operator/connector/observe.ts";
import { type Action, DELETION_LIMIT_MS, type Echo, owns, plan } from "#operator/connector/plan.ts";
import { toWanted } from "#operator/connector/wanted.ts";
import type { KafkaConnector } from "#operator/kinds.ts";
import { kafkaConnector } from "#support/connect-objects.ts";

const NOW = Date.parse("2026-01-01T00:10:00Z");
const WORKER = { cluster: { namespace: "ns", name: "my-connect" }, ip: "10.0.0.1" };
const CONFIG = toWanted(kafkaConnector()).config;

function actual(traits: Partial<ConnectorSnapshot> = {}): ConnectorSnapshot {
  return { config: CONFIG, targetState: "STARTED", taskCount: 2, status: null, topics: [], ...traits };
}

function live(connector: ConnectorSnapshot | null, name = "my-connect"): ClusterSight {
  return { kind: "live", name, uid: `uid of ${name}`, worker: WORKER, actual: connector, plugins: [] };
}

const MISSING: ClusterSight = { kind: "missing", name: "my-connect" };
const ZERO: ClusterSight = { kind: "scaled-to-zero", name: "my-connect", uid: "uid of my-connect" };
const LOST: ClusterSight = { kind: "unreachable", name: "my-connect", uid: "uid of my-connect", reason: "" };

interface Case {
  readonly resource?: KafkaConnector;
  readonly cluster: ClusterSight;
  readonly owner?: ClusterSight;
  readonly echo?: Echo;
}

function decide({ resource = kafkaConnector(), cluster, owner, echo }: Case): Action {
  const observed: ObservedConnector = { resource, cluster, owner: owner ?? null };
  return plan({ observed, wanted: toWanted(resource), restart: null, echo: echo ?? null, nowMs: NOW });
}

function kindOf(subject: Case): string {
  const action = decide(subject);
  return action.kind === "change-state" ? action.change : action.kind;
}

const FRESH = { clusterUid: "uid of my-connect", untilMs: NOW + 1 };
const STALE = { clusterUid: "uid of my-connect", untilMs: NOW };

describe("plan", () => {
  const table: readonly [string, Case, string][] = [
    ["creates what is not there", { cluster: live(null) }, "create"],
    ["watches what is as wanted", { cluster: live(actual()) }, "watch"],
    ["updates another configuration", { cluster: live(actual({ config: { ...CONFIG, topic: "x" } })) }, "update"],
    [
      "updates before it changes the state",
      { resource: kafkaConnector({ state: "paused" }), cluster: live(actual({ config: {} })) },
      "update",
    ],
    ["pauses", { resource: kafkaConnector({ state: "paused" }), cluster: live(actual()) }, "pause"],
    [
      "stops",
      { resource: kafkaConnector({ state: "stopped" }), cluster: live(actual({ targetState: "PAUSED" })) },
      "stop",
    ],
    ["resumes", { cluster: live(actual({ targetState: "STOPPED" })) }, "resume"],
    [
      "rejects values that are no scalars",
      { resource: kafkaConnector({ config: { a: null } }), cluster: live(actual()) },
      "reject",
    ],
    ["can do nothing without a label", { cluster: { kind: "unnamed" } }, "blocked"],
    ["can do nothing without a cluster", { cluster: MISSING }, "blocked"],
    ["can do nothing at zero replicas", { cluster: ZERO }, "blocked"],
    ["can do nothing without a worker", { cluster: LOST }, "blocked"],
    [
      "waits for the echo of a creation",
      { cluster: live(null), echo: { ...FRESH, of: "create", config: CONFIG } },
      "await-echo",
    ],
    [
      "goes on when the echo came",
      { cluster: live(actual()), echo: { ...FRESH, of: "create", config: CONFIG } },
      "watch",
    ],
    [
      "creates again when no echo comes",
      { cluster: live(null), echo: { ...STALE, of: "create", config: CONFIG } },
      "create",
    ],
    [
      "waits for the echo of a change of state",
      { cluster: live(actual({ targetState: "PAUSED" })), echo: { ...FRESH, of: "change-state", target: "STARTED" } },
      "await-echo",
    ],
    [
      "does not wait for the echo of another cluster",
      { cluster: live(null), echo: { ...FRESH, clusterUid: "x", of: "create", config: CONFIG } },
      "create",
    ],
    [
      "takes a connector from its old cluster first",
      { cluster: live(null), owner: live(actual(), "old") },
      "move-away",
    ],
    ["makes it when the old cluster has let go", { cluster: live(null), owner: live(null, "old") }, "create"],
    [
      "waits for an old cluster at zero replicas",
      { cluster: live(null), owner: { ...ZERO, name: "old" } },
      "await-move",
    ],
    [
      "waits for an old cluster that does not answer",
      { cluster: live(null), owner: { ...LOST, name: "old" } },
      "await-move",
    ],
    [
      "makes it when the old cluster is gone",
      { cluster: live(null), owner: { kind: "missing", name: "old" } },
      "create",
    ],
    [
      "leaves an orphan on the old cluster",
      { resource: kafkaConnector({ deletionPolicy: "Orphan" }), cluster: live(null), owner: live(actual(), "old") },
      "create",
    ],
    [
      "waits for the old cluster to tell of a connector that was made there just now",
      {
        cluster: live(null),
        owner: live(null, "old"),
        echo: { clusterUid: "uid of old", untilMs: NOW + 1, of: "create", config: CONFIG },
      },
      "await-move",
    ],
  ];
  for (const [what, subject, wanted] of table) {
    it(what, () => assert.equal(kindOf(subject), wanted));
  }
});

describe("plan of a deleted resource", () => {
  function deleted(secondsAgo: number, more: { owned?: boolean; policy?: "Orphan"; finalizers?: string[] } = {}) {
    const { owned = true, policy, finalizers = ["headrace.dev/connector"] } = more;
    const deletionTimestamp = new Date(NOW - secondsAgo * 1000).toISOString();
    const status = owned ? { connectCluster: { name: "my-connect", uid: "uid of my-connect" } } : {};
    return kafkaConnector(policy === undefined ? {} : { deletionPolicy: policy }, {
      metadata: { deletionTimestamp, finalizers },
      status,
    });
  }
  const there = live(actual());
  const foreign = live(actual({ config: { other: "config" } }));
  const late = DELETION_LIMIT_MS / 1000;

  const table: readonly [string, Case, string][] = [
    ["removes its connector", { resource: deleted(0), cluster: there, owner: there }, "remove"],
    [
      "removes it also when its configuration was changed over REST",
      { resource: deleted(0), cluster: foreign, owner: foreign },
      "remove",
    ],
    [
      "removes what runs with exactly its configuration",
      { resource: deleted(0, { owned: false }), cluster: there },
      "remove",
    ],
    ["leaves somebody else's connector alone", { resource: deleted(0, { owned: false }), cluster: foreign }, "release"],
    ["leaves an orphan", { resource: deleted(0, { policy: "Orphan" }), cluster: there, owner: there }, "release"],
    ["is done when the connector is gone", { resource: deleted(0), cluster: live(null), owner: live(null) }, "release"],
    [
      "waits for the echo of the removal",
      { resource: deleted(0), cluster: there, owner: there, echo: { ...FRESH, of: "remove" } },
      "await-echo",
    ],
    [
      "waits for a connector that was made just now to be told of, since it could not be removed before",
      {
        resource: deleted(0),
        cluster: live(null),
        owner: live(null),
        echo: { ...FRESH, of: "create", config: CONFIG },
      },
      "await-echo",
    ],
    [
      "waits for that no longer than an echo may take",
      {
        resource: deleted(0),
        cluster: live(null),
        owner: live(null),
        echo: { ...STALE, of: "create", config: CONFIG },
      },
      "release",
    ],
    ["does not wait for a deleted cluster", { resource: deleted(0), cluster: MISSING, owner: MISSING }, "release"],
    [
      "does not wait for a cluster that is being deleted",
      { resource: deleted(0), cluster: { kind: "deleting", name: "a" }, owner: { kind: "deleting", name: "a" } },
      "release",
    ],
    ["waits for an unreachable cluster", { resource: deleted(0), cluster: LOST, owner: LOST }, "await-removal"],
    [
      "lets go of an unreachable cluster after its time",
      { resource: deleted(late), cluster: LOST, owner: LOST },
      "release",
    ],
    [
      "does not wait for a cluster on which it made nothing",
      { resource: deleted(0, { owned: false }), cluster: LOST },
      "release",
    ],
    [
      "removes it from where it was made, whatever the label says now",
      { resource: deleted(0), cluster: { kind: "unnamed" }, owner: there },
      "remove",
    ],
    [
      "has nothing to do without its finalizer",
      { resource: deleted(0, { finalizers: [] }), cluster: there, owner: there },
      "blocked",
    ],
  ];
  for (const [what, subject, wanted] of table) {
    it(what, () => assert.equal(kindOf(subject), wanted));
  }

  it("says what it left behind", () => {
    const action = decide({ resource: deleted(late), cluster: LOST, owner: LOST });
    assert.match(action.kind === "release" ? (action.left ?? "") : "", /orders stays on KafkaConnect my-connect/);
  });
});

describe("owns", () => {
  it("does not take equal names for ownership", () => {
    const resource = kafkaConnector({ config: { topic: "orders", bad: null } });
    const observed: ObservedConnector = { resource, cluster: live(actual()), owner: null };
    assert.equal(owns(observed, toWanted(resource), observed.cluster), false);
  });

  it("goes by the identity of the KafkaConnect, not by its name", () => {
    const resource = kafkaConnector(
      {},
      { status: { connectCluster: { name: "my-connect", uid: "uid of an older one" } } },
    );
    const observed: ObservedConnector = { resource, cluster: live(actual({ config: {} })), owner: null };
    assert.equal(owns(observed, toWanted(resource), observed.cluster), false);
  });
});
