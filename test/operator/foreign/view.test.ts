import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ForeignObject, isClaimed, parseForeignApi } from "#operator/foreign/dialect.ts";
import { createStatusMemory, missingPart } from "#operator/foreign/status-memory.ts";
import { viewConnect, viewConnector } from "#operator/foreign/view.ts";

function api(name: string) {
  const found = parseForeignApi(name);
  assert.ok(found !== undefined);
  return found;
}

const STRIMZI = api("kafka.strimzi.io");

function connect(spec: ForeignObject["spec"], apiVersion = "kafka.strimzi.io/v1"): ForeignObject {
  return { apiVersion, kind: "KafkaConnect", metadata: { name: "c", namespace: "n", uid: "u" }, spec: spec ?? {} };
}

const GOOD = {
  replicas: 2,
  bootstrapServers: "k:1",
  groupId: "g",
  configStorageTopic: "a",
  offsetStorageTopic: "b",
  statusStorageTopic: "s",
};

describe("parseForeignApi", () => {
  it("knows groups, with and without a version", () => {
    assert.equal(STRIMZI.version, "v1");
    assert.equal(api("eventstreams.ibm.com/v1beta2").connects.version, "v1beta2");
    for (const name of ["headrace.dev", "kafka.strimzi.io/v2", "", "platform.confluent.io"])
      assert.equal(parseForeignApi(name), undefined, name);
  });
});

describe("isClaimed", () => {
  it("takes the annotation only, spelled exactly", () => {
    const annotated = (value: string) => ({
      ...connect(GOOD),
      metadata: { name: "c", annotations: { "headrace.dev/managed": value } },
    });
    assert.equal(isClaimed(annotated("true")), true);
    for (const value of ["True", "yes", "", "false"]) assert.equal(isClaimed(annotated(value)), false, value);
    assert.equal(isClaimed(undefined), false);
  });
});

describe("viewConnect", () => {
  it("keeps the identity, takes the spec over and says what has no counterpart", () => {
    const view = viewConnect(STRIMZI, connect({ ...GOOD, image: "x/y:1", jvmOptions: {}, unheardOf: 1 }), undefined);
    assert.equal(view.apiVersion, "kafka.strimzi.io/v1");
    assert.equal(view.metadata.uid, "u");
    assert.deepEqual(view.spec, { ...GOOD, jvmOptions: {} });
    assert.deepEqual(view.flaws, []);
    assert.equal(view.remarks?.length, 2);
    assert.match(
      view.remarks?.join(" ") ?? "",
      /spec\.image names an image of Strimzi's; .* spec\.unheardOf has no counterpart/,
    );
  });

  it("reads v1beta2", () => {
    const spec = { bootstrapServers: "k:1", config: { "group.id": "g" } };
    const view = viewConnect(api("kafka.strimzi.io/v1beta2"), connect(spec, "kafka.strimzi.io/v1beta2"), undefined);
    assert.equal(view.spec.groupId, "g");
    assert.equal(view.spec.replicas, 3);
  });

  it("stops one resource that our schema would not have let in, and keeps its size", () => {
    const { configStorageTopic: _, ...spec } = GOOD;
    const view = viewConnect(STRIMZI, connect(spec), undefined);
    assert.match(view.flaws?.join() ?? "", /^spec\.configStorageTopic: /);
    assert.equal(view.spec.replicas, 2);
  });
});

describe("viewConnector", () => {
  const object: ForeignObject = {
    apiVersion: "eventstreams.ibm.com/v1",
    kind: "KafkaConnector",
    metadata: {
      name: "orders",
      uid: "u",
      labels: { "eventstreams.ibm.com/cluster": "c" },
      annotations: { "eventstreams.ibm.com/restart": "true", "headrace.dev/status": "{}" },
    },
    spec: { class: "X", config: { a: 1 } },
  };
  const view = (leavingSince: string | undefined, given = object) =>
    viewConnector(api("eventstreams.ibm.com"), given, { status: undefined, leavingSince });

  it("speaks our words", () => {
    const { metadata, spec } = view(undefined);
    assert.deepEqual(metadata.labels, { "headrace.dev/cluster": "c" });
    assert.deepEqual(metadata.annotations, { "headrace.dev/restart": "true" });
    assert.deepEqual(spec, { class: "X", config: { a: 1 }, state: "running", deletionPolicy: "Delete" });
    assert.equal(metadata.deletionTimestamp, undefined);
  });

  it("reads as deleted when it is not ours any more, and never touches a connector that it cannot read", () => {
    assert.equal(view("2026-01-01T00:00:00Z").metadata.deletionTimestamp, "2026-01-01T00:00:00Z");
    const broken = view(undefined, { ...object, spec: { config: {} } });
    assert.match(broken.flaws?.join() ?? "", /^spec\.class: /);
    assert.equal(broken.spec.deletionPolicy, "Orphan");
  });
});

describe("the memory of statuses", () => {
  const status = { tasks: "2/2", tasksMax: 2, connectCluster: { name: "c", uid: "u" }, conditions: [] };
  const stored = { tasksMax: 2, conditions: [] };
  const object = (given: object, annotation?: string): ForeignObject => ({
    ...connect({}),
    metadata: {
      name: "c",
      uid: "u",
      ...(annotation === undefined ? {} : { annotations: { "headrace.dev/status": annotation } }),
    },
    status: { ...given },
  });

  it("tells the status that was written as long as what came back is still there", () => {
    const memory = createStatusMemory();
    memory.wrote("u", status, stored);
    assert.deepEqual(memory.read(object(stored)), status);
    assert.deepEqual(memory.read(object({ tasksMax: 3 })), { tasksMax: 3 }, "somebody else wrote it");
    memory.forget("u");
    assert.deepEqual(memory.read(object(stored)), stored);
  });

  it("finds the rest in the annotation after a restart", () => {
    const missing = missingPart(status, stored);
    assert.deepEqual(missing, { tasks: "2/2", connectCluster: { name: "c", uid: "u" } });
    assert.deepEqual(createStatusMemory().read(object(stored, JSON.stringify(missing))), status);
    assert.deepEqual(createStatusMemory().read(object(stored, "not ours")), stored);
  });
});
