import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadConnection } from "#operator/kube/config.ts";
import { createEventRecorder, type RunningEventRecorder } from "#operator/kube/events.ts";
import { type ConfigMap, ConfigMaps, type Event, Events } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { eventually } from "#support/eventually.ts";
import { openTestClient, type TestClient } from "#support/kube-client.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

describe("event recorder", () => {
  let kubernetes: TestKubernetes;
  let direct: TestClient;
  let namespace: string;
  let about: ConfigMap;
  let recorder: RunningEventRecorder;
  const signal = new AbortController().signal;

  before(async () => {
    kubernetes = await testKubernetes();
    direct = openTestClient(loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} }));
    namespace = await kubernetes.createNamespace();
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "about", namespace } };
    about = await direct.client.create(ConfigMaps, object, signal);
    recorder = createEventRecorder({
      client: direct.client,
      component: "test",
      instance: "one",
      log: createLog("silent"),
    });
  });

  after(async () => {
    direct?.close();
    await kubernetes?.stop();
  });

  async function written(reason: string): Promise<readonly Event[]> {
    const all = await direct.client.list(Events, namespace, null, signal);
    return all.filter((event) => event.reason === reason);
  }

  it("counts repeats, tells different messages apart, and shows them in kubectl describe", async () => {
    const stop = new AbortController();
    const running = recorder.run(stop.signal);
    recorder.record(about, { type: "Normal", reason: "Created", message: "made it" });
    await eventually("the event is there", async () => (await written("Created")).length === 1);
    for (let i = 0; i < 4; i += 1) {
      recorder.record(about, { type: "Normal", reason: "Created", message: "made it" });
      recorder.record(about, { type: "Warning", reason: "Refused", message: `no ${i}` });
    }
    await eventually("repeats are counted", async () => (await written("Created"))[0]?.count === 5);
    await eventually("others are told", async () => (await written("Refused")).length === 4);
    assert.equal((await written("Created")).length, 1);
    stop.abort();
    await running;
    const described = await kubernetes.kubectl(["describe", "configmap", "about", "-n", namespace]);
    assert.match(described, /Normal\s+Created\s+.*\(x5 over .*\)\s+test\s+made it/);
  });

  it("writes what is left when it is stopped, never throws, and cuts what is too long", async () => {
    const stop = new AbortController();
    const running = recorder.run(stop.signal);
    recorder.record(about, { type: "Warning", reason: "Late", message: "x".repeat(5_000) });
    stop.abort();
    await running;
    const [event] = await written("Late");
    assert.equal(event?.message?.length, 1_024);
  });
});
