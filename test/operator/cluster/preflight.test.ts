import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { desire } from "#operator/cluster/desired.ts";
import { buildPreflightPod, readPreflight } from "#operator/cluster/preflight.ts";
import { podsOf, selectorLabels } from "#operator/cluster-pods.ts";
import { type Pod, Pods } from "#operator/kube/resources.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const CLUSTER = "my-connect";
const { template, revision } = desire(
  kafkaConnect({
    resources: { limits: { memory: "1Gi" }, requests: { cpu: "2" } },
    template: { pod: { metadata: { labels: { team: "data" } } } },
  }),
  "worker:1",
);
const POD = buildPreflightPod(kafkaConnect(), template, "other:1");

function read(status: NonNullable<Pod["status"]>, metadata: Partial<Pod["metadata"]> = {}) {
  return readPreflight([{ ...POD, metadata: { ...POD.metadata, ...metadata }, status }], CLUSTER, revision);
}

function ended(message: string): NonNullable<Pod["status"]> {
  const terminated = { exitCode: 1, message, finishedAt: "2026-01-01T00:00:00Z" };
  return {
    phase: "Failed",
    containerStatuses: [{ name: "w", image: "", imageID: "", ready: false, restartCount: 0, state: { terminated } }],
  };
}

describe("preflight pod", () => {
  it("runs the check instead of the worker, with its image, configuration and limits", () => {
    const [container] = POD.spec?.containers ?? [];
    assert.deepEqual(container?.command?.slice(0, 2), ["headrace-worker", "check"]);
    assert.equal(container?.image, "worker:1");
    assert.deepEqual(container?.resources, { limits: { memory: "1Gi" }, requests: { cpu: "10m", memory: "64Mi" } });
    assert.equal(container?.readinessProbe, undefined);
    assert.deepEqual(POD.spec?.volumes, template.spec?.volumes);
    assert.equal(POD.spec?.restartPolicy, "Never");
    assert.equal(POD.spec?.affinity, undefined);
  });

  it("is no worker to any selector", () => {
    const selected = Object.entries(selectorLabels(CLUSTER)).every(
      ([key, value]) => POD.metadata.labels?.[key] === value,
    );
    assert.equal(selected, false);
    const preflights = createFakeKube();
    preflights.put(Pods, POD);
    assert.deepEqual(podsOf(preflights.store<Pod>(Pods), { namespace: "ns", name: CLUSTER }), []);
  });

  it("has all labels of a worker but one, so that NetworkPolicies of brokers admit it", () => {
    const { labels = {} } = template.metadata ?? {};
    const others = Object.keys(labels).filter((label) => POD.metadata.labels?.[label] !== labels[label]);
    assert.deepEqual([others, labels["team"]], [["headrace.dev/name"], "data"]);
  });
});

describe("readPreflight", () => {
  it("tells what the check found", () => {
    assert.deepEqual(read({ phase: "Succeeded" }), { kind: "passed", untried: "" });
    assert.deepEqual(read({ phase: "Running" }), { kind: "running", message: "" });
    const failed = read(ended("ok      configuration\nfailed  topic a: no rights.\nfailed  topic b: gone\n"));
    assert.deepEqual(failed, {
      kind: "failed",
      message: "topic a: no rights; topic b: gone",
      endedAtMs: Date.parse("2026-01-01"),
    });
  });

  it("tells what the check found, not how what runs beside it was stopped", () => {
    const proxy = { name: "proxy", image: "i", restartPolicy: "Always" };
    const spec = { ...POD.spec, containers: POD.spec?.containers ?? [], initContainers: [proxy] };
    const stopped = { name: "proxy", image: "", imageID: "", ready: false, restartCount: 0 };
    const terminated = { exitCode: 143, message: "stopped" };
    const status = {
      ...ended("failed  topic a: no rights\n"),
      initContainerStatuses: [{ ...stopped, state: { terminated } }],
    };
    const failed = readPreflight([{ ...POD, spec, status }], CLUSTER, revision);
    assert.equal(failed.kind === "failed" && failed.message, "topic a: no rights");
  });

  it("gives all that was said when no line tells a failure", () => {
    const failed = read(ended("group.id: is required\nkey.converter: unknown\n"));
    assert.equal(failed.kind === "failed" && failed.message, "group.id: is required; key.converter: unknown");
  });

  it("knows nothing of other revisions and of pods that go", () => {
    assert.deepEqual(readPreflight([POD], CLUSTER, "other"), { kind: "missing" });
    assert.deepEqual(read({ phase: "Running" }, { deletionTimestamp: "2026-01-01T00:00:00Z" }), { kind: "missing" });
  });

  it("counts a pod that cannot start as failed, and says why", () => {
    const state = { waiting: { reason: "ErrImagePull", message: "no such image" } };
    const container = { name: "my-connect-connect", image: "", imageID: "", ready: false, restartCount: 0, state };
    const failed = read({ phase: "Pending", containerStatuses: [container] });
    assert.deepEqual(failed, { kind: "failed", message: "no such image", endedAtMs: null });
  });

  it("says why a pod waits", () => {
    const conditions = [{ type: "PodScheduled", status: "False", message: "0/3 nodes are available" }];
    assert.deepEqual(read({ phase: "Pending", conditions }), { kind: "running", message: "0/3 nodes are available" });
  });
});

describe("readPreflight of runtime Jvm", () => {
  const connect = kafkaConnect({ runtime: "Jvm", image: "apache/kafka:4.3.1" });
  const wanted = desire(connect, "worker:1");
  const pod = buildPreflightPod(connect, wanted.template, "worker:1");
  const base = { image: "", imageID: "", ready: false, restartCount: 0 };
  const exit = (exitCode: number, message = "") => ({
    terminated: { exitCode, message, finishedAt: "2026-01-01T00:00:00Z" },
  });
  const statusOf = (name: string, state: object) => ({ ...base, name, state });
  const done = [statusOf("check-image", exit(0))];

  const readJvm = (status: NonNullable<Pod["status"]>) => readPreflight([{ ...pod, status }], CLUSTER, wanted.revision);
  const ofKafka = (state: object, status: object = { phase: "Failed" }) =>
    readJvm({ ...status, initContainerStatuses: done, containerStatuses: [statusOf("my-connect-connect", state)] });
  const waiting = (reason: string, message: string) => ofKafka({ waiting: { reason, message } }, { phase: "Pending" });
  const failed = (message: string) => ({ kind: "failed", message, endedAtMs: Date.parse("2026-01-01") });
  const untried = (why: string) => ({ kind: "passed", untried: why });

  it("fails for what Kafka has refused, and for a check that was killed", () => {
    assert.deepEqual(ofKafka(exit(20, "failed  topic a: no rights\n")), failed("topic a: no rights"));
    assert.deepEqual(ofKafka(exit(137)), failed("the check ended with code 137"));
  });

  it("fails for an image of the workers' that is none, and says so", () => {
    const image = [statusOf("check-image", exit(1, "failed  the image has no connect\n"))];
    assert.deepEqual(readJvm({ phase: "Failed", initContainerStatuses: image }), failed("the image has no connect"));
    const pulled = [statusOf("check-image", { waiting: { reason: "ImagePullBackOff", message: "no such image" } })];
    const later = [statusOf("my-connect-connect", { waiting: { reason: "PodInitializing" } })];
    assert.deepEqual(readJvm({ phase: "Pending", initContainerStatuses: pulled, containerStatuses: later }), {
      kind: "failed",
      message: "no such image",
      endedAtMs: null,
    });
  });

  it("passes without a look at Kafka where the image that has it cannot", () => {
    assert.deepEqual(
      ofKafka(exit(1, "Usage: headrace-worker distributed FILE\n")),
      untried("the image worker:1 is older than the operator and does not know how"),
    );
    assert.deepEqual(
      ofKafka(exit(126, "exec format error")),
      untried("the image worker:1 ended with code 126: exec format error"),
    );
    assert.deepEqual(waiting("ImagePullBackOff", "no such image"), untried("no such image"));
    assert.deepEqual(waiting("CreateContainerError", "may not run as root"), untried("may not run as root"));
    const late = { phase: "Failed", reason: "DeadlineExceeded", message: "too long" };
    assert.deepEqual(
      ofKafka({ waiting: { reason: "ContainerCreating" } }, late),
      untried("the image worker:1 was not there in time"),
    );
    assert.deepEqual(ofKafka(exit(137), late), untried("the image worker:1 was not there in time"));
    assert.equal(readJvm(late).kind, "failed");
  });

  it("waits while the image is pulled once more", () => {
    assert.deepEqual(waiting("ErrImagePull", "away"), { kind: "running", message: "away" });
  });
});
