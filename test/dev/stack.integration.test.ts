import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { markedProcesses } from "#dev/process-table.ts";
import { STACK_MARK } from "#dev/stack/state.ts";
import { down, type Stack, status, up } from "#dev/stack.ts";
import { eventually } from "#support/eventually.ts";

describe("the local stack", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-stack-"));
  const shared = ["HEADRACE_KAFKA_BOOTSTRAP", "HEADRACE_KUBECONFIG"] as const;
  const saved = shared.map((name) => [name, process.env[name]] as const);
  const ours = () => markedProcesses(STACK_MARK, (value) => value === dir);

  const cli = (command: string): ChildProcess =>
    spawn(process.execPath, ["--conditions=source", "dev/cli.ts", command], {
      cwd: repoRoot,
      env: { ...process.env, HEADRACE_STATE: dir },
      stdio: ["ignore", "pipe", "ignore"],
    });
  const run = async (command: string) => {
    const child = cli(command);
    const [output, [code]] = await Promise.all([child.stdout === null ? "" : text(child.stdout), once(child, "exit")]);
    return { code, output };
  };

  // What the test runner shares with all files must not be used here: a stack starts its own.
  before(() => {
    for (const name of shared) delete process.env[name];
  });

  after(async () => {
    await down({ dir });
    for (const [name, value] of saved) if (value !== undefined) process.env[name] = value;
    rmSync(dir, { recursive: true, force: true });
  });

  it("is not up at first, and down does nothing then", async () => {
    await down({ dir });
    assert.equal(status({ dir }).healthy, false);
    assert.equal((await run("status")).code, 1);
  });

  it("comes up after an up that was killed in the middle", async () => {
    const first = cli("up");
    await eventually("something was started", () => ours().length >= 2, 60_000);
    first.kill("SIGKILL");
    await once(first, "exit");
    const left = ours();
    assert.ok(left.length > 0);
    const stack = await up({ dir });
    assert.deepEqual(
      left.filter((pid) => ours().includes(pid)),
      [],
    );
    assert.match(stack.bootstrap, /^127\.0\.0\.1:\d+$/);
  });

  it("runs Kafka, the control plane, a node, the resources and the operator", async () => {
    const { stack, processes, healthy } = status({ dir });
    assert.equal(healthy, true);
    assert.deepEqual(processes.map(({ name }) => name).sort(), [
      "Kafka",
      "etcd",
      "kube-apiserver",
      "kube-controller-manager",
      "kube-scheduler",
      "node agent local",
      "operator",
    ]);
    const found = stack as Stack;
    assert.equal((await fetch(`${found.operatorUrl}/readyz`)).status, 200);
    assert.match(await found.kubectl(["get", "kc,kctr", "-A", "-o", "name"]), /^$/);
    await eventually("pods run", async () => {
      const spec = { containers: [{ name: "it", image: "node:24", command: ["sleep", "3600"] }] };
      const input = JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name: "it" }, spec });
      await found.kubectl(["apply", "-f", "-"], { input });
      return (await found.kubectl(["get", "pod", "it", "-o", "jsonpath={.status.phase}"])) === "Running";
    });
  });

  it("is not started a second time", async () => {
    const before = readFileSync(join(dir, "stack.json"), "utf8");
    const { code, output } = await run("up");
    assert.equal(code, 0);
    assert.match(output, /export KUBECONFIG=/);
    assert.equal(readFileSync(join(dir, "stack.json"), "utf8"), before);
  });

  it("uses a Kafka and a cluster that are there, and leaves them alone", async () => {
    const first = status({ dir }).stack as Stack;
    const guest = join(dir, "guest");
    process.env["HEADRACE_KAFKA_BOOTSTRAP"] = first.bootstrap;
    process.env["HEADRACE_KUBECONFIG"] = first.adminKubeconfig;
    try {
      const { bootstrap, adminKubeconfig } = await up({ dir: guest, operator: false });
      assert.deepEqual([bootstrap, adminKubeconfig], [first.bootstrap, first.adminKubeconfig]);
      assert.deepEqual(status({ dir: guest }).processes, []);
      await down({ dir: guest });
    } finally {
      for (const name of shared) delete process.env[name];
    }
    assert.equal(status({ dir }).healthy, true);
  });

  it("never kills a process that only has a remembered id", async () => {
    const bystander = spawn("sleep", ["3600"], { stdio: "ignore" });
    const file = join(dir, "stack.json");
    const state: { processes: { pid: number }[] } = JSON.parse(readFileSync(file, "utf8"));
    const processes = state.processes.map((each, index) => (index === 0 ? { ...each, pid: bystander.pid } : each));
    writeFileSync(file, JSON.stringify({ ...state, processes }));
    assert.equal(status({ dir }).healthy, false);
    await down({ dir });
    assert.equal(bystander.exitCode, null);
    assert.equal(bystander.signalCode, null);
    bystander.kill();
  });

  it("leaves no process behind, pods included, and going down twice is no error", async () => {
    assert.deepEqual(ours(), []);
    const pods = markedProcesses("HEADRACE_CONTAINER", (value) => value.startsWith(dir));
    assert.deepEqual(pods, []);
    assert.equal((await run("down")).code, 0);
    assert.equal(status({ dir }).stack, null);
  });

  it("leaves nothing behind when up is interrupted", async () => {
    const first = cli("up");
    await eventually("something was started", () => ours().length >= 2, 60_000);
    first.kill("SIGINT");
    await once(first, "exit");
    await eventually("everything has ended", () => ours().length === 0);
  });
});
