import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Pod } from "#dev/agent/pod.ts";
import { eventually } from "#support/eventually.ts";
import {
  isAlive,
  type LocalNode,
  podManifest,
  serverContainer,
  startLocalNode,
  statefulSetManifest,
} from "#support/local-node.ts";

describe("pods on the local node", () => {
  let node: LocalNode;
  const file = (name: string) => join(node.shared, name);
  const readiness = {
    httpGet: { path: "/ready", port: 8083 },
    periodSeconds: 1,
    timeoutSeconds: 10,
    failureThreshold: 1,
  };

  before(async () => {
    node = await startLocalNode({ restartBackOffMs: 5000 });
    const data = { level: "info", unused: "x" };
    await node.apply(
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings" }, data },
      { apiVersion: "v1", kind: "Secret", metadata: { name: "login" }, stringData: { password: "geheim" } },
      statefulSetManifest("web", 2, {
        containers: [
          serverContainer(node.shared, {
            args: ["--child", "--config=/etc/app/log/level"],
            env: [
              { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "login", key: "password" } } },
              { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
              { name: "URL", value: "http://$(POD_IP):8083" },
              { name: "LEVEL_FILE", value: "/etc/app/log/level" },
              { name: "PASSWORD_FILE", value: "/etc/login/password" },
              { name: "TOKEN_FILE", value: "/var/run/secrets/kubernetes.io/serviceaccount/token" },
              { name: "WORK", value: "/work/x" },
            ],
            readinessProbe: readiness,
            volumeMounts: [
              { name: "settings", mountPath: "/etc/app" },
              { name: "login", mountPath: "/etc/login" },
              { name: "work", mountPath: "/work" },
            ],
          }),
        ],
        volumes: [
          { name: "settings", configMap: { name: "settings", items: [{ key: "level", path: "log/level" }] } },
          { name: "login", secret: { secretName: "login" } },
          { name: "work", emptyDir: {} },
        ],
      }),
    );
  });

  after(() => node.stop());

  const ready = (name: string) => node.until(name, "is ready", (pod) => pod.ready);

  it("makes pods ready, each at a loopback address of its own", async () => {
    const pods = [await ready("web-0"), await ready("web-1")];
    assert.equal(new Set(pods.map(({ ip }) => ip)).size, 2);
    for (const pod of pods) {
      assert.match(pod.ip, /^127\.(?!0\.)/);
      assert.equal(pod.phase, "Running");
      assert.equal(pod.container.restartCount, 0);
      assert.match(await node.ask(pod, "/"), new RegExp(`^pid ${pod.container.pid} `));
    }
    await node.kubectl(["wait", "--for=jsonpath={.status.readyReplicas}=2", "statefulset/web", "--timeout=120s"]);
  });

  it("gives environment, arguments and volumes as the pod describes them", async () => {
    const pod = await ready("web-0");
    const env: Record<string, string> = JSON.parse(await node.ask(pod, "/env"));
    const read = (path = "") => node.ask(pod, `/file?path=${encodeURIComponent(path)}`);
    assert.equal(env["PASSWORD"], "geheim");
    assert.equal(env["NODE"], "local");
    assert.equal(env["URL"], `http://${pod.ip}:8083`);
    assert.equal(env["HOSTNAME"], "web-0");
    assert.equal(await read(env["LEVEL_FILE"]), "info");
    assert.equal(await read(env["PASSWORD_FILE"]), "geheim");
    assert.match(await node.ask(pod, "/"), new RegExp(`--config=${env["LEVEL_FILE"]}$`));
    assert.ok(existsSync(join(env["WORK"] ?? "", "..")));
    const token = await read(env["TOKEN_FILE"]);
    const whoami = await node.kubectl(["auth", "whoami", "--token", token]);
    assert.match(whoami, new RegExp(`system:serviceaccount:${node.namespace}:default`));
    assert.match(whoami, /pod-name.*web-0/);
  });

  it("brings a changed ConfigMap into the volume", async () => {
    const pod = await ready("web-0");
    const { LEVEL_FILE = "" }: Record<string, string> = JSON.parse(await node.ask(pod, "/env"));
    await node.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings" }, data: { level: "debug" } });
    await eventually("the file has changed", () => readFileSync(LEVEL_FILE, "utf8") === "debug");
    assert.equal((await ready("web-0")).container.restartCount, 0);
  });

  it("follows the readiness probe", async () => {
    await ready("web-1");
    writeFileSync(file("web-1.unready"), "");
    const unready = await node.until("web-1", "is not ready", (pod) => !pod.ready);
    assert.equal(unready.container.running, true);
    rmSync(file("web-1.unready"));
    assert.equal((await ready("web-1")).container.restartCount, 0);
  });

  it("restarts a killed container at once, then after the back-off, and leaves none of its processes behind", async () => {
    const before = await ready("web-0");
    const child = Number(readFileSync(file("web-0.child"), "utf8"));
    assert.ok(isAlive(child));
    process.kill(before.container.pid ?? 0, "SIGKILL");
    const once = await node.until("web-0", "is restarted", (pod) => pod.ready && pod.container.restartCount === 1);
    assert.equal(once.ip, before.ip);
    assert.equal(once.container.last?.exitCode, 137);
    assert.equal(once.container.last?.reason, "Error");
    assert.ok(!isAlive(child));
    process.kill(once.container.pid ?? 0, "SIGKILL");
    await node.until("web-0", "waits", (pod) => pod.container.waiting === "CrashLoopBackOff");
    await node.until("web-0", "is restarted again", (pod) => pod.ready && pod.container.restartCount === 2);
  });

  it("ends a deleted pod with SIGTERM; the StatefulSet's new one has another address", async () => {
    const before = await ready("web-1");
    rmSync(file("web-1.terminated"), { force: true });
    await node.kubectl(["delete", "pod", "web-1"]);
    assert.equal(readFileSync(file("web-1.terminated"), "utf8"), String(before.container.pid));
    const next = await node.until("web-1", "is replaced", (pod) => pod.ready && pod.uid !== before.uid);
    assert.notEqual(next.ip, before.ip);
    assert.ok(!isAlive(before.container.pid ?? 0));
    assert.ok(!existsSync(file("web-1.overlap")));
  });

  it("kills a container that ignores SIGTERM when the grace period is over", async () => {
    const command = ["node", "pod-server.ts", "--stubborn"];
    await node.apply(
      podManifest("stubborn", {
        terminationGracePeriodSeconds: 600,
        containers: [serverContainer(node.shared, { command, readinessProbe: readiness })],
      }),
    );
    const { container } = await ready("stubborn");
    const started = performance.now();
    await node.kubectl(["delete", "pod", "stubborn", "--grace-period=2"]);
    const seconds = (performance.now() - started) / 1000;
    assert.ok(seconds >= 1.9 && seconds < 500, `${seconds} s`);
    assert.ok(existsSync(file("stubborn.terminated")));
    assert.ok(!isAlive(container.pid ?? 0));
  });

  it("shortens the grace period when a second deletion asks for it, and runs the hooks", async () => {
    const command = ["node", "pod-server.ts", "--stubborn"];
    const preStop = { exec: { command: ["sh", "-c", `echo $POD_NAME > ${file("prestop")}`] } };
    const postStart = { exec: { command: ["touch", file("poststart")] } };
    const lifecycle = { preStop, postStart };
    const container = serverContainer(node.shared, { command, readinessProbe: readiness, lifecycle });
    await node.apply(podManifest("patient", { terminationGracePeriodSeconds: 600, containers: [container] }));
    await ready("patient");
    assert.ok(existsSync(file("poststart")));
    await node.kubectl(["delete", "pod", "patient", "--wait=false"]);
    await eventually("SIGTERM arrived", () => existsSync(file("patient.terminated")));
    assert.equal(readFileSync(file("prestop"), "utf8"), "patient\n");
    await node.kubectl(["delete", "pod", "patient", "--grace-period=1", "--timeout=120s"]);
  });

  it("restarts a container whose liveness probe fails", async () => {
    const livenessProbe = {
      httpGet: { path: "/alive", port: 8083 },
      periodSeconds: 1,
      timeoutSeconds: 10,
      failureThreshold: 2,
    };
    const container = serverContainer(node.shared, { readinessProbe: readiness, livenessProbe });
    await node.apply(podManifest("alive", { containers: [container] }));
    const before = await ready("alive");
    writeFileSync(file("alive.dead"), "");
    // A busy machine may have failed the probe before.
    await node.until(
      "alive",
      "is restarted",
      ({ container: { restartCount } }) => restartCount > before.container.restartCount,
    );
    rmSync(file("alive.dead"));
    const next = await ready("alive");
    assert.notEqual(next.container.pid, before.container.pid);
    const terminations = readFileSync(file("alive.terminations"), "utf8").split("\n");
    assert.ok(terminations.includes(String(before.container.pid)), `SIGTERM to ${terminations}`);
  });

  it("waits for the startup probe before the others, and takes exec and TCP probes", async () => {
    const go = file("go");
    const container = serverContainer(node.shared, {
      startupProbe: {
        exec: { command: ["test", "-e", go] },
        periodSeconds: 1,
        timeoutSeconds: 10,
        failureThreshold: 600,
      },
      livenessProbe: { tcpSocket: { port: 8083 }, periodSeconds: 1, timeoutSeconds: 10 },
    });
    await node.apply(podManifest("slow", { containers: [container] }));
    const running = await node.until("slow", "runs", (pod) => pod.container.running);
    assert.equal(running.ready, false);
    writeFileSync(go, "");
    assert.equal((await ready("slow")).container.restartCount, 0);
  });

  it("runs init containers in order, and pods that end", async () => {
    const log = file("order");
    const shell = (name: string, script: string) => ({ name, image: "server", command: ["sh", "-c", script] });
    await node.apply(
      podManifest("job", {
        restartPolicy: "Never",
        initContainers: [shell("first", `echo first >> ${log}`), shell("second", `echo second >> ${log}`)],
        containers: [shell("main", `echo main >> ${log}`)],
      }),
      podManifest("broken", { restartPolicy: "Never", containers: [shell("main", "exit 3")] }),
      podManifest("unlucky", {
        restartPolicy: "OnFailure",
        containers: [shell("main", `test -e ${file("tried")} || { touch ${file("tried")}; exit 4; }`)],
      }),
    );
    await node.until("job", "succeeds", ({ phase }) => phase === "Succeeded");
    assert.equal(readFileSync(log, "utf8"), "first\nsecond\nmain\n");
    const broken = await node.until("broken", "fails", ({ phase }) => phase === "Failed");
    assert.equal(broken.container.terminated?.exitCode, 3);
    const unlucky = await node.until("unlucky", "succeeds", ({ phase }) => phase === "Succeeded");
    assert.equal(unlucky.container.restartCount, 1);
    assert.equal(unlucky.container.last?.exitCode, 4);
    await node.kubectl(["delete", "pod", "job", "broken", "unlucky", "--timeout=120s"]);
  });

  it("says why a container cannot start, and goes on when it can", async () => {
    const needs = (configMap: string) => ({
      containers: [
        serverContainer(node.shared, {
          readinessProbe: readiness,
          env: [{ name: "A", valueFrom: { configMapKeyRef: { name: configMap, key: "a" } } }],
        }),
      ],
    });
    await node.apply(
      podManifest("no-image", { containers: [serverContainer(node.shared, { image: "nobody/knows:1" })] }),
      podManifest("no-config", needs("later")),
      podManifest("no-volume", {
        ...needs("later"),
        volumes: [{ name: "later", configMap: { name: "later" } }],
      }),
      podManifest("no-command", { containers: [serverContainer(node.shared, { command: ["no-such-program"] })] }),
    );
    await node.until("no-image", "waits", ({ container }) => container.waiting === "ErrImageNeverPull");
    await node.until("no-config", "waits", ({ container }) => container.waiting === "CreateContainerConfigError");
    await node.until("no-volume", "waits", ({ container }) => container.waiting === "ContainerCreating");
    const { container } = await node.until(
      "no-command",
      "backs off",
      (pod) => pod.container.waiting === "CrashLoopBackOff",
    );
    assert.equal(container.last?.exitCode, 128);
    assert.match(container.last?.message ?? "", /"no-such-program": executable file not found/);
    await node.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "later" }, data: { a: "1" } });
    await ready("no-config");
    await ready("no-volume");
    for (const wanted of ["no-image ErrImageNeverPull", "no-volume FailedMount", "alive Unhealthy"]) {
      await eventually(`the event ${wanted}`, async () => {
        const { items } = JSON.parse(await node.kubectl(["get", "events", "-o", "json"])) as {
          items: readonly { reason: string; involvedObject: { name: string } }[];
        };
        return items.some(({ reason, involvedObject }) => `${involvedObject.name} ${reason}` === wanted);
      });
    }
  });

  it("keeps conditions that are not its own", async () => {
    const name = "web-0";
    const path = `/api/v1/namespaces/${node.namespace}/pods/${name}`;
    const condition = { type: "example.org/Seen", status: "True" };
    const contentType = "application/strategic-merge-patch+json";
    const signal = AbortSignal.timeout(180_000);
    await node.api.request(
      { method: "PATCH", path: `${path}/status`, contentType, body: { status: { conditions: [condition] } } },
      signal,
    );
    writeFileSync(file("web-0.unready"), "");
    await node.until(name, "is not ready", (pod) => !pod.ready);
    rmSync(file("web-0.unready"));
    await ready(name);
    const { status } = await node.api.request<Pod>({ path }, signal);
    assert.ok(status?.conditions?.some(({ type }) => type === condition.type));
  });
});
