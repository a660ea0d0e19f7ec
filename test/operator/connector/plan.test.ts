import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectorSnapshot } from "@headrace/contract";
import { DELETION_LIMIT_MS } from "#operator/connector/deletion.ts";
import type { Echo } from "#operator/connector/echo.ts";
import type { ClusterSight, LiveCluster, ObservedConnector } from "#operator/connector/observe.ts";
import { owns } from "#operator/connector/ownership.ts";
import { type Action, type PlanInputs, plan } from "#operator/connector/plan.ts";
import { readRequests } from "#operator/connector/requests.ts";
import { toWanted } from "#operator/connector/wanted.ts";
import type { KafkaConnector } from "#operator/kinds.ts";
import { kafkaConnector } from "#support/connect-objects.ts";

const NOW = Date.parse("2026-01-01T00:10:00Z");
const WORKER = { cluster: { namespace: "ns", name: "my-connect" }, ip: "10.0.0.1" };
const CONFIG = toWanted(kafkaConnector()).config;

function actual(traits: Partial<ConnectorSnapshot> = {}): ConnectorSnapshot {
  return { config: CONFIG, targetState: "STARTED", taskCount: 2, status: null, topics: [], ...traits };
}

function live(connector: ConnectorSnapshot | null, name = "my-connect"): LiveCluster {
  const uid = `uid of ${name}`;
  return { kind: "live", namespace: "ns", name, uid, worker: WORKER, actual: connector, plugins: [] };
}

const PLACE = { namespace: "ns", name: "my-connect" };
const MISSING: ClusterSight = { kind: "missing", ...PLACE };
const DELETING: ClusterSight = { kind: "deleting", ...PLACE, uid: "uid of my-connect" };
const ZERO: ClusterSight = { kind: "scaled-to-zero", ...PLACE, uid: "uid of my-connect" };
const LOST: ClusterSight = { kind: "unreachable", ...PLACE, uid: "uid of my-connect", reason: "", sinceMs: NOW };
const FREE = { claim: { allowed: true, rival: null }, paused: false, identity: {} };

interface Case extends Partial<Pick<PlanInputs, "restarts" | "changedSources" | "startPending" | "refused">> {
  readonly resource?: KafkaConnector;
  readonly cluster: ClusterSight;
  readonly owner?: ClusterSight;
  readonly echo?: Echo;
  readonly observed?: Partial<ObservedConnector>;
}

function decide({ resource = kafkaConnector(), cluster, owner, echo, observed, ...more }: Case): Action {
  const wanted = toWanted(resource);
  return plan({
    observed: { resource, cluster, owner: owner ?? null, ...FREE, ...observed },
    wanted,
    request: readRequests(resource).next,
    restarts: null,
    changedSources: [],
    startPending: false,
    refused: wanted.problems.length > 0,
    echo: echo ?? null,
    nowMs: NOW,
    ...more,
  });
}

/** Stopped, with nothing that runs. */
function stopped(traits: Partial<ConnectorSnapshot> = {}): ConnectorSnapshot {
  const connector = { state: "STOPPED" as const, worker_id: "w" };
  const status = { name: "orders", type: "source" as const, connector, tasks: [] };
  return actual({ targetState: "STOPPED", taskCount: 0, status, ...traits });
}

function annotated(annotations: Record<string, string>, spec: Partial<KafkaConnector["spec"]> = {}): KafkaConnector {
  return kafkaConnector(spec, { metadata: { annotations } });
}

const OURS = { status: { connectCluster: { name: "my-connect", uid: "uid of my-connect" } } };

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
    ["stops a connector on its old cluster first", { cluster: live(null), owner: live(actual(), "old") }, "stop-away"],
    [
      "waits until its tasks there have ended",
      { cluster: live(null), owner: live(stopped({ status: null }), "old") },
      "await-move",
    ],
    ["then takes it from there", { cluster: live(null), owner: live(stopped(), "old") }, "move-away"],
    [
      "leaves it there while the new cluster refuses its configuration",
      { cluster: live(null), owner: live(actual(), "old"), refused: true },
      "reject",
    ],
    ["leaves it there while the new cluster is away", { cluster: LOST, owner: live(actual(), "old") }, "blocked"],
    [
      "takes a connector of the same name in another namespace for another cluster",
      { cluster: live(null), owner: { ...live(actual()), namespace: "other" } },
      "stop-away",
    ],
    ["touches nothing while reconciliation is paused", { cluster: live(null), observed: { paused: true } }, "paused"],
    [
      "only looks when it is to observe",
      { resource: kafkaConnector({ managementPolicy: "Observe" }), cluster: live(actual({ config: {} })) },
      "observe",
    ],
    [
      "leaves the connector to the resource that has it",
      { cluster: live(actual()), observed: { claim: { allowed: true, rival: { namespace: "ns", name: "a" } } } },
      "name-taken",
    ],
    [
      "makes nothing on a cluster that does not take the namespace",
      { cluster: live(null), observed: { claim: { allowed: false, rival: null } } },
      "not-allowed",
    ],
    [
      "stops what it made there before",
      {
        resource: kafkaConnector({}, OURS),
        cluster: live(actual()),
        observed: { claim: { allowed: false, rival: null } },
      },
      "stop",
    ],
    ["leaves what runs while its configuration is refused", { cluster: live(actual()), refused: true }, "reject"],
    ["does not make what is refused", { cluster: live(null), refused: true }, "reject"],
    [
      "stops its own connector though the new configuration is refused",
      { resource: kafkaConnector({ state: "stopped" }, OURS), cluster: live(actual()), refused: true },
      "stop",
    ],
    [
      "does not stop somebody else's",
      { resource: kafkaConnector({ state: "stopped" }), cluster: live(actual()), refused: true },
      "reject",
    ],
    [
      "obeys a request for its own connector though the configuration is refused",
      {
        resource: { ...annotated({ "headrace.dev/restart": "true" }), ...OURS },
        cluster: live(actual()),
        refused: true,
      },
      "request",
    ],
    [
      "obeys a request once the configuration is as wanted",
      { resource: annotated({ "headrace.dev/restart": "true" }), cluster: live(actual({ config: {} })) },
      "update",
    ],
    [
      "lists offsets of what runs",
      { resource: annotated({ "headrace.dev/connector-offsets": "list" }), cluster: live(actual()) },
      "request",
    ],
    [
      "stops a connector before its offsets are altered",
      { resource: annotated({ "headrace.dev/connector-offsets": "alter" }), cluster: live(actual()) },
      "stop",
    ],
    [
      "waits for its tasks to end",
      {
        resource: annotated({ "headrace.dev/connector-offsets": "reset" }),
        cluster: live(stopped({ status: null })),
      },
      "await-stop",
    ],
    [
      "alters when nothing runs any more",
      { resource: annotated({ "headrace.dev/connector-offsets": "alter" }), cluster: live(stopped()) },
      "request",
    ],
    ["goes on afterwards", { cluster: live(stopped()) }, "resume"],
    [
      "keeps a new connector stopped until its first offsets are set",
      { cluster: live(stopped()), startPending: true },
      "start-from",
    ],
    ["restarts for a Secret that changed", { cluster: live(actual()), changedSources: ["Secret ns/db"] }, "reload"],
    [
      "restarts what failed when its time has come",
      {
        cluster: live(actual()),
        restarts: { due: [1], all: true, exhausted: [], proving: [], nextAtMs: null },
      },
      "auto-restart",
    ],
    [
      "restarts nothing that is to be stopped",
      {
        resource: kafkaConnector({ state: "stopped" }),
        cluster: live(stopped()),
        restarts: { due: [1], all: true, exhausted: [], proving: [], nextAtMs: null },
      },
      "watch",
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
    ["makes it when the old cluster is gone", { cluster: live(null), owner: { ...MISSING, name: "old" } }, "create"],
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
  function resetting(secondsAgo: number): KafkaConnector {
    const resource = deleted(secondsAgo);
    return { ...resource, spec: { ...resource.spec, resetOffsetsOnDelete: true } };
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
      { resource: deleted(0), cluster: DELETING, owner: DELETING },
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
      "stops it first when its offsets are to be reset",
      { resource: resetting(0), cluster: there, owner: there },
      "stop-deleted",
    ],
    [
      "waits for its tasks to end then",
      { resource: resetting(0), cluster: there, owner: live(stopped({ status: null })) },
      "await-removal",
    ],
    ["removes it with its offsets", { resource: resetting(0), cluster: there, owner: live(stopped()) }, "remove"],
    ["does not wait for that for ever", { resource: resetting(late), cluster: there, owner: there }, "remove"],
    [
      "leaves the connector to the resource that has it",
      {
        resource: deleted(0, { owned: false }),
        cluster: there,
        observed: { claim: { allowed: true, rival: { namespace: "ns", name: "a" } } },
      },
      "release",
    ],
    [
      "leaves what it only observed",
      {
        resource: { ...deleted(0), spec: { ...deleted(0).spec, managementPolicy: "Observe" } },
        cluster: there,
        owner: there,
      },
      "release",
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

  it("says where it left the connector, if it did", () => {
    const left = (subject: Case) => {
      const action = decide(subject);
      return action.kind === "release" ? action.left : undefined;
    };
    assert.equal(left({ resource: deleted(late), cluster: LOST, owner: LOST }), LOST);
    assert.equal(left({ resource: deleted(0), cluster: MISSING, owner: MISSING }), MISSING);
    assert.equal(left({ resource: deleted(0), cluster: live(null), owner: live(null) }), null);
  });
});

describe("owns", () => {
  it("does not take equal names for ownership", () => {
    const resource = kafkaConnector({ config: { topic: "orders", bad: null } });
    const observed: ObservedConnector = { resource, cluster: live(actual()), owner: null, ...FREE };
    assert.equal(owns(observed, toWanted(resource), observed.cluster), false);
  });

  it("goes by the identity of the KafkaConnect, not by its name", () => {
    const resource = kafkaConnector(
      {},
      { status: { connectCluster: { name: "my-connect", uid: "uid of an older one" } } },
    );
    const observed: ObservedConnector = { resource, cluster: live(actual({ config: {} })), owner: null, ...FREE };
    assert.equal(owns(observed, toWanted(resource), observed.cluster), false);
  });
});
