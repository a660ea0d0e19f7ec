import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { loadConnection } from "#operator/kube/config.ts";
import { Events, Leases } from "#operator/kube/resources.ts";
import { eventually } from "#support/eventually.ts";
import { openTestClient, type TestClient } from "#support/kube-client.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

/** Longer than a machine under load stands still: whoever is succeeded was killed or stopped by the test. */
const DURATION_MS = 8_000;
const SCRIPT = join(import.meta.dirname, "../../support/lease-candidate.ts");

describe("leader election among processes", () => {
  let kubernetes: TestKubernetes;
  let direct: TestClient;
  const children: ChildProcess[] = [];
  const signal = new AbortController().signal;

  before(async () => {
    kubernetes = await testKubernetes();
    direct = openTestClient(loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} }));
  });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });

  after(async () => {
    direct?.close();
    await kubernetes?.stop();
  });

  function start(namespace: string, identity: string, ...sleepAfter: string[]): ChildProcess {
    const args = [kubernetes.kubeconfig, namespace, identity, String(DURATION_MS), ...sleepAfter];
    const child = spawn(process.execPath, ["--conditions=source", SCRIPT, ...args], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    children.push(child);
    return child;
  }

  /** Who wrote, in the order of the API's versions. */
  async function writers(namespace: string): Promise<string[]> {
    const marks = await direct.client.list(Events, namespace, null, signal);
    return marks
      .toSorted((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion))
      .map(({ reason }) => reason ?? "");
  }

  async function writes(namespace: string, identity: string): Promise<void> {
    await eventually(`${identity} writes`, async () => (await writers(namespace)).includes(identity));
  }

  /** Each run of writes by one candidate, once: `a, b` if nobody wrote after being succeeded. */
  function terms(all: readonly string[]): string[] {
    return all.filter((name, i) => name !== all[i - 1]);
  }

  it("hands over when the leader is killed", async () => {
    const namespace = await kubernetes.createNamespace();
    const a = start(namespace, "a");
    await writes(namespace, "a");
    start(namespace, "b");
    a.kill("SIGKILL");
    await writes(namespace, "b");
    assert.deepEqual(terms(await writers(namespace)), ["a", "b"]);
  });

  it("hands over when the leader is stopped, and it writes nothing when it goes on", async () => {
    const namespace = await kubernetes.createNamespace();
    const a = start(namespace, "a", "20");
    await writes(namespace, "a");
    start(namespace, "b");
    await writes(namespace, "b");
    a.kill("SIGCONT");
    const atResume = (await writers(namespace)).length;
    await eventually("b has written on", async () => (await writers(namespace)).length > atResume + 20);
    assert.deepEqual(terms(await writers(namespace)), ["a", "b"]);
  });

  it("hands over at once when the leader is asked to stop", async () => {
    const namespace = await kubernetes.createNamespace();
    const a = start(namespace, "a");
    await writes(namespace, "a");
    start(namespace, "b");
    await eventually("b looks on", async () => (await lease(namespace))?.spec?.holderIdentity === "a");
    a.kill("SIGTERM");
    const [code] = await once(a, "exit");
    assert.equal(code, 0);
    await writes(namespace, "b");
    assert.deepEqual(terms(await writers(namespace)), ["a", "b"]);
    assert.equal((await lease(namespace))?.spec?.leaseTransitions, 1);
  });

  function lease(namespace: string) {
    return direct.client.get(Leases, { namespace, name: "election" }, signal);
  }
});
