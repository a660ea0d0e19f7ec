import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { startAgent } from "#dev/agent.ts";
import { eventually } from "#support/eventually.ts";
import { isAlive, type LocalNode, serverContainer, startLocalNode, statefulSetManifest } from "#support/local-node.ts";

describe("an agent that ends and starts again", () => {
  let node: LocalNode;
  const file = (name: string) => join(node.shared, name);
  const names = ["web-0", "web-1"] as const;
  const ready = (name: string) => node.until(name, "is ready", (pod) => pod.ready);

  before(async () => {
    node = await startLocalNode({ restartBackOffMs: 100 });
    const readinessProbe = { httpGet: { path: "/ready", port: 8083 }, periodSeconds: 1, timeoutSeconds: 10 };
    await node.apply(statefulSetManifest("web", 2, { containers: [serverContainer(node.shared, { readinessProbe })] }));
  });

  beforeEach(async () => {
    for (const name of names) await ready(name);
  });

  after(async () => {
    for (const name of names) assert.ok(!existsSync(file(`${name}.overlap`)), `two instances of ${name} ran at once`);
    await node.stop();
  });

  it("crashed: the pods go on, and the next agent takes them over as they are", async () => {
    const before = await Promise.all(names.map(ready));
    await node.agent().kill();
    for (const pod of before) assert.match(await node.ask(pod, "/"), new RegExp(`^pid ${pod.container.pid}`));
    await node.restartAgent();
    process.kill(before[1]?.container.pid ?? 0, "SIGKILL");
    await node.until("web-1", "is restarted", (pod) => pod.ready && pod.container.restartCount === 1);
    const [first] = await Promise.all(names.map(ready));
    assert.deepEqual(first, before[0]);
  });

  it("crashed: a container that ended meanwhile is restarted with its exit code seen", async () => {
    const before = await ready("web-0");
    await node.agent().kill();
    process.kill(before.container.pid ?? 0, "SIGTERM");
    await eventually("the container ended", () => !isAlive(before.container.pid ?? 0));
    await node.restartAgent();
    const restarts = before.container.restartCount + 1;
    const next = await node.until(
      "web-0",
      "is restarted",
      (pod) => pod.ready && pod.container.restartCount === restarts,
    );
    assert.equal(next.container.last?.exitCode, 0);
    assert.equal(next.container.last?.reason, "Completed");
  });

  it("crashed: a pod deleted meanwhile is ended gracefully and replaced", async () => {
    const before = await ready("web-0");
    await node.agent().kill();
    await node.kubectl(["delete", "pod", "web-0", "--wait=false"]);
    await node.restartAgent();
    const next = await node.until("web-0", "is replaced", (pod) => pod.ready && pod.uid !== before.uid);
    assert.equal(readFileSync(file("web-0.terminated"), "utf8"), String(before.container.pid));
    assert.ok(!isAlive(before.container.pid ?? 0));
    assert.notEqual(next.ip, before.ip);
  });

  it("crashed: a pod removed by force and replaced meanwhile is killed before its successor starts", async () => {
    const before = await ready("web-1");
    await node.agent().kill();
    await node.kubectl(["delete", "pod", "web-1", "--force", "--grace-period=0"]);
    await node.until("web-1", "is replaced", (pod) => pod.uid !== before.uid);
    assert.ok(isAlive(before.container.pid ?? 0));
    await node.restartAgent();
    await ready("web-1");
    assert.ok(!isAlive(before.container.pid ?? 0));
  });

  it("running: a pod removed by force ends before its successor starts", async () => {
    const before = await ready("web-1");
    await node.kubectl(["delete", "pod", "web-1", "--force", "--grace-period=0"]);
    await node.until("web-1", "is replaced", (pod) => pod.ready && pod.uid !== before.uid);
    assert.ok(!isAlive(before.container.pid ?? 0));
  });

  it("stopped: no process is left, and the next agent starts the same pods again", async () => {
    const before = await Promise.all(names.map(ready));
    await node.agent().stop();
    for (const { container } of before) assert.ok(!isAlive(container.pid ?? 0));
    await node.restartAgent();
    for (const pod of before) {
      const next = await node.until(pod.name, "runs again", ({ ready: isReady, container }) => {
        return isReady && container.restartCount === pod.container.restartCount + 1;
      });
      assert.equal(next.uid, pod.uid);
      assert.equal(next.ip, pod.ip);
    }
  });

  it("is the only one on its directory", async () => {
    const { logDir, process: running } = node.agent();
    const dir = join(logDir, "..");
    const second = await startAgent({ dir, kubeconfig: "unused", images: "unused" });
    assert.deepEqual(await second.process.exited, { code: 1, signal: null });
    assert.ok(running.running());
    assert.match(readFileSync(join(dir, "agent.log"), "utf8"), /another agent runs on/);
  });
});
