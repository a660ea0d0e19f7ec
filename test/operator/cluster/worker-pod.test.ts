import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toWorkerPod } from "#operator/cluster/worker-pod.ts";
import type { Pod } from "#operator/kube/resources.ts";
import { workerPod } from "#support/connect-objects.ts";

type ContainerStatus = NonNullable<NonNullable<Pod["status"]>["containerStatuses"]>[number];

function read(container: Partial<ContainerStatus>) {
  const base = { name: "my-connect-connect", image: "i", imageID: "i", ready: false, restartCount: 1 };
  const pod = workerPod(0, { ready: false, status: { containerStatuses: [{ ...base, ...container }] } });
  return toWorkerPod(pod, "my-connect-connect");
}

const ENDED = { exitCode: 1, containerID: "c://1", reason: "Error", message: "starting\nno such topic\n" };

describe("toWorkerPod", () => {
  it("reads number, address and revision", () => {
    const pod = toWorkerPod(workerPod(12, { revision: "abc", ip: "10.9.9.9" }), "my-connect-connect");
    assert.equal(pod.ordinal, 12);
    assert.equal(pod.ip, "10.9.9.9");
    assert.equal(pod.revision, "abc");
    assert.equal(pod.ready, true);
    assert.equal(pod.trouble, null);
  });

  it("does not count a pod as ready that is on its way out", () => {
    const pod = workerPod(0);
    const leaving = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    const read = toWorkerPod(leaving, "my-connect-connect");
    assert.deepEqual([read.ready, read.terminating], [false, true]);
  });

  it("tells which run of the container ended, while no new one runs", () => {
    assert.deepEqual(read({ state: { terminated: ENDED } }).ended, { containerId: "c://1" });
    const backingOff = { state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: { terminated: ENDED } };
    assert.deepEqual(read(backingOff).ended, { containerId: "c://1" });
    assert.equal(read({ state: { running: {} }, lastState: { terminated: ENDED } }).ended, null);
  });

  const troubles: readonly [string, Partial<ContainerStatus>, object | null][] = [
    ["a container that is starting", { state: { waiting: { reason: "ContainerCreating" } } }, null],
    [
      "an image that cannot be pulled",
      { state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } } },
      { reason: "ImagePullBackOff", message: "no such image", lasting: true },
    ],
    [
      "a crash loop, with the last line of the worker",
      { state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: { terminated: ENDED } },
      { reason: "CrashLoopBackOff", message: "the worker ended with code 1: no such topic", lasting: true },
    ],
    [
      "a first crash",
      { state: { terminated: ENDED } },
      { reason: "Error", message: "the worker ended with code 1: no such topic", lasting: false },
    ],
  ];
  for (const [what, container, trouble] of troubles) {
    it(`names the trouble: ${what}`, () => assert.deepEqual(read(container).trouble, trouble));
  }

  it("names the trouble: a container before the worker's", () => {
    const failed = {
      name: "fetch-plugins",
      image: "i",
      imageID: "i",
      ready: false,
      restartCount: 3,
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: { terminated: { ...ENDED, message: "https://r/x.tgz answered 404\n" } },
    };
    const troubleWith = (initContainer: ContainerStatus) =>
      toWorkerPod(
        workerPod(0, { ready: false, status: { initContainerStatuses: [initContainer] } }),
        "my-connect-connect",
      ).trouble;
    assert.deepEqual(troubleWith(failed), {
      reason: "CrashLoopBackOff",
      message: "fetch-plugins ended with code 1: https://r/x.tgz answered 404",
      lasting: true,
    });
    assert.equal(troubleWith({ ...failed, state: { terminated: { ...ENDED, exitCode: 0 } } }), null);
    const fetching = { reason: "PodInitializing", message: "fetch-plugins is at work", lasting: false };
    assert.deepEqual(troubleWith({ ...failed, state: { running: {} } }), fetching);
    const next = { ...failed, state: { waiting: { reason: "PodInitializing" } }, lastState: {} };
    assert.deepEqual(troubleWith(next), fetching);
  });

  it("names the worker's trouble, not that of a container that runs beside it", () => {
    const base = { image: "i", imageID: "i", ready: false, restartCount: 1 };
    const crashing = {
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: { terminated: { ...ENDED, message: "no control plane\n" } },
    };
    const troubleWith = (proxy: Partial<ContainerStatus>, worker: Partial<ContainerStatus>) => {
      const pod = workerPod(0, {
        ready: false,
        status: {
          initContainerStatuses: [{ ...base, name: "proxy", ...proxy }],
          containerStatuses: [{ ...base, name: "my-connect-connect", ...worker }],
        },
      });
      const initContainers = [{ name: "proxy", restartPolicy: "Always" }];
      const spec = { ...pod.spec, containers: pod.spec?.containers ?? [], initContainers };
      return toWorkerPod({ ...pod, spec }, "my-connect-connect").trouble?.message ?? null;
    };
    const runs = { started: true, state: { running: {} } };
    const waits = { state: { waiting: { reason: "PodInitializing" } } };
    assert.equal(troubleWith(runs, { state: { waiting: { reason: "ContainerCreating" } } }), null);
    assert.equal(troubleWith(runs, { state: { terminated: ENDED } }), "the worker ended with code 1: no such topic");
    assert.equal(
      troubleWith(crashing, { state: { terminated: ENDED } }),
      "the worker ended with code 1: no such topic",
    );
    assert.equal(troubleWith(crashing, runs), null);
    // Until it has started once, the worker waits for it.
    assert.equal(troubleWith(crashing, waits), "proxy ended with code 1: no control plane");
    assert.equal(troubleWith({ started: false, state: { running: {} } }, waits), "proxy is at work");
  });

  it("counts the time that it is not ready from when all was fetched for it", () => {
    const since = (fetched: "True" | "False") => {
      const conditions = [
        { type: "Ready", status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" },
        { type: "Initialized", status: fetched, lastTransitionTime: "2026-01-01T00:01:00Z" },
      ];
      return toWorkerPod(workerPod(0, { ready: false, status: { conditions } }), "my-connect-connect").unreadySinceMs;
    };
    assert.equal(since("False"), Date.parse("2026-01-01T00:00:00Z"));
    assert.equal(since("True"), Date.parse("2026-01-01T00:01:00Z"));
  });

  it("does not count the time while something is fetched for it, for ten minutes", () => {
    const base = { name: "fetch", image: "i", imageID: "i", ready: false, restartCount: 0 };
    const since = (state: object) => {
      const conditions = [
        { type: "Ready", status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" },
        { type: "Initialized", status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" },
      ];
      const status = { conditions, initContainerStatuses: [{ ...base, state }] };
      return toWorkerPod(workerPod(0, { ready: false, status }), "my-connect-connect").unreadySinceMs;
    };
    assert.equal(since({ running: {} }), Date.parse("2026-01-01T00:10:00Z"));
    assert.equal(since({ waiting: { reason: "ImagePullBackOff" } }), Date.parse("2026-01-01T00:00:00Z"));
    assert.equal(since({ terminated: ENDED }), Date.parse("2026-01-01T00:00:00Z"));
  });

  it("names the trouble: no node takes it", () => {
    const conditions = [{ type: "PodScheduled", status: "False", message: "0/1 nodes are available" }];
    const pod = toWorkerPod(workerPod(0, { status: { conditions } }), "my-connect-connect");
    assert.deepEqual(pod.trouble, { reason: "Unschedulable", message: "0/1 nodes are available", lasting: false });
  });
});
