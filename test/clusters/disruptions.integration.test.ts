import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CONTAINER_MARK } from "#dev/agent/container-process.ts";
import type { LocalKafka } from "#dev/kafka.ts";
import { createKubectl, type Kubectl } from "#dev/kubectl.ts";
import { markedProcesses, sendSignal } from "#dev/process-table.ts";
import { down, type Stack, status, up, WORKER_IMAGE } from "#dev/stack.ts";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { eventually } from "#support/eventually.ts";
import { ownKafka } from "#support/kafka.ts";

const DEADLINE_MS = 240_000;
const WRITE_EVERY_MS = 50;
const NODE = "local";
const PODS = "headrace.dev/name=disrupted-connect";

interface Resource {
  readonly metadata: { readonly uid: string; readonly name: string; readonly generation: number };
  readonly status?: {
    readonly podIP?: string;
    readonly observedGeneration?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

/** What befalls a cluster from outside while a connector works: a drained node, Kafka that stands still, a node that is lost. */
describe("disruptions of a cluster", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-disruptions-"));
  const file = join(dir, "lines.txt");
  const frozen = new Set<number>();
  let kafka: LocalKafka;
  let stack: Stack;
  let admin: Kubectl;
  let reader: CommittedReader;
  let stopWriting: () => Promise<void>;
  let written = 0;

  before(async () => {
    delete process.env["HEADRACE_KUBECONFIG"];
    kafka = await ownKafka({ heap: "512m" });
    process.env["HEADRACE_KAFKA_BOOTSTRAP"] = kafka.bootstrap;
    stack = await up({ dir: join(dir, "stack"), restartBackOffMs: 500 });
    const { kubectlPath: binary, adminKubeconfig: kubeconfig } = stack;
    admin = createKubectl({ binary, kubeconfig, cacheDir: join(dir, "kubectl") });
    await apply({
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnect",
      metadata: { name: "disrupted" },
      spec: {
        replicas: 2,
        image: WORKER_IMAGE,
        bootstrapServers: stack.bootstrap,
        groupId: "disrupted",
        configStorageTopic: "disrupted-configs",
        offsetStorageTopic: "disrupted-offsets",
        statusStorageTopic: "disrupted-status",
        config: {
          "config.storage.replication.factor": 1,
          "offset.storage.replication.factor": 1,
          "status.storage.replication.factor": 1,
          "value.converter": "org.apache.kafka.connect.storage.StringConverter",
          "offset.flush.interval.ms": 1000,
        },
        template: { pod: { terminationGracePeriodSeconds: 120 } },
      },
    });
    await until("kc", /^True Ready/);
    appendFileSync(file, "");
    await apply({
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name: "disrupted", labels: { "headrace.dev/cluster": "disrupted" } },
      spec: { class: "file-source", tasksMax: 1, config: { file, topic: "disrupted" } },
    });
    stopWriting = write();
    await until("kctr", /^True Running/);
    reader = openCommittedReader(stack.bootstrap, "disrupted");
    await moves();
  });

  after(async () => {
    kafka?.process.signal("SIGCONT");
    thaw();
    await stopWriting?.();
    await reader?.close();
    await down({ dir: join(dir, "stack") });
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const apply = (resource: object) => stack.kubectl(["apply", "-f", "-"], { input: JSON.stringify(resource) });

  /** Appends numbered lines until it is stopped. */
  function write(): () => Promise<void> {
    const stop = new AbortController();
    const writing = (async () => {
      while (!stop.signal.aborted) {
        appendFileSync(file, `${written}\n`);
        written += 1;
        await sleep(WRITE_EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    })();
    return async () => {
      stop.abort();
      await writing;
    };
  }

  async function readyOf(kind: "kc" | "kctr"): Promise<string> {
    const resource: Resource = JSON.parse(await stack.kubectl(["get", kind, "disrupted", "-o", "json"]));
    const ready = resource.status?.conditions?.find(({ type }) => type === "Ready");
    const current = resource.status?.observedGeneration === resource.metadata.generation;
    return current ? `${ready?.status} ${ready?.reason}: ${ready?.message}` : "behind";
  }

  /** Waits until Ready reads like that; answers how long it took, ms. */
  async function until(kind: "kc" | "kctr", wanted: RegExp): Promise<number> {
    const startedAt = performance.now();
    let last = "";
    await eventually(
      `${kind} is ${wanted}`,
      async () => {
        last = await readyOf(kind);
        return wanted.test(last);
      },
      DEADLINE_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
    return performance.now() - startedAt;
  }

  /** Waits until a line that is not written yet is in Kafka. */
  async function moves(): Promise<void> {
    const next = String(written);
    await eventually("a new line is in Kafka", () => reader.values().includes(next), DEADLINE_MS);
  }

  async function pods(): Promise<readonly Resource[]> {
    const list: { readonly items: readonly Resource[] } = JSON.parse(
      await stack.kubectl(["get", "pods", "-l", PODS, "-o", "json"]),
    );
    return list.items;
  }

  const uidsOf = (found: readonly Resource[]) => found.map(({ metadata }) => metadata.uid);

  function stackProcess(name: string): number {
    const found = status({ dir: join(dir, "stack") }).processes.find((each) => each.name === name);
    assert.ok(found !== undefined, `${name} runs`);
    return found.pid;
  }

  function freeze(...pids: readonly number[]): void {
    for (const pid of pids) {
      assert.ok(sendSignal(pid, "SIGSTOP"));
      frozen.add(pid);
    }
  }

  function thaw(): void {
    for (const pid of frozen) sendSignal(pid, "SIGCONT");
    frozen.clear();
  }

  const evict = (pod: string) =>
    admin(["create", "--raw", `/api/v1/namespaces/default/pods/${pod}/eviction`, "-f", "-"], {
      input: JSON.stringify({
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { name: pod, namespace: "default" },
      }),
    });

  it("a drained node: one worker at a time hands over and goes, and no record comes twice", async () => {
    const before = uidsOf(await pods());
    const draining = admin([
      ...["drain", NODE, `--pod-selector=${PODS}`],
      ...["--delete-emptydir-data", "--force", "--timeout=240s"],
    ]);
    draining.catch(() => undefined);
    const remaining = await eventually(
      "one worker is gone, and the node takes no new one",
      async () => {
        const found = (await pods()).filter(({ metadata }) => before.includes(metadata.uid));
        return found.length === 1 ? found[0]?.metadata.name : undefined;
      },
      DEADLINE_MS,
    );
    await assert.rejects(evict(remaining), /disruption budget/);
    await moves();
    await admin(["uncordon", NODE]);
    await draining;
    await until("kc", /^True Ready/);
    await until("kctr", /^True Running/);
    await moves();
    assert.equal(
      uidsOf(await pods()).some((uid) => before.includes(uid)),
      false,
      "both workers are others",
    );
    const values = reader.values();
    assert.deepEqual(
      values,
      values.map((_, index) => String(index)),
    );
  });

  it("Kafka that stands still: neither resource reads ready for long, and both do again", async (test) => {
    kafka.process.signal("SIGSTOP");
    const [cluster, connector] = await Promise.all([
      until("kc", /^False (WorkersUnreachable|WorkersNotReady): /),
      until("kctr", /^Unknown ClusterUnreachable: /),
    ]);
    test.diagnostic(`Kafka frozen → KafkaConnect not ready after ${seconds(cluster)}, connector ${seconds(connector)}`);
    kafka.process.signal("SIGCONT");
    await until("kc", /^True Ready/);
    await until("kctr", /^True Running/);
    await moves();
  });

  it("a lost node: the worker's work goes on elsewhere, and its pod is replaced", async () => {
    const owner = await stack.kubectl([
      ...["get", "kctr", "disrupted", "-o", "jsonpath={.status.connectorStatus.tasks[0].worker_id}"],
    ]);
    const lost = (await pods()).find(({ status }) => status?.podIP !== undefined && owner === `${status.podIP}:8083`);
    assert.ok(lost !== undefined, `the task is on ${owner}`);
    const { name, uid } = lost.metadata;
    const processes = markedProcesses(CONTAINER_MARK, (value) => value.includes(uid));
    assert.ok(processes.length > 0);
    freeze(stackProcess(`node agent ${NODE}`), ...processes);
    await moves();
    await admin(["delete", "pod", name, "--grace-period=1", "--wait=false"]);
    await eventually(
      "another pod has its name",
      async () => {
        const found = (await pods()).find(({ metadata }) => metadata.name === name);
        return found !== undefined && found.metadata.uid !== uid;
      },
      DEADLINE_MS,
    );
    await eventually("the operator tells what it did", async () =>
      (await stack.kubectl(["get", "events", "-o", "jsonpath={.items[*].reason}"])).includes("ForceDeletedPod"),
    );
    thaw();
    await until("kc", /^True Ready/);
    await until("kctr", /^True Running/);
    await moves();
  });

  it("has lost nothing in all of it", async () => {
    await stopWriting();
    await eventually("the last line is there", () => reader.values().includes(String(written - 1)), DEADLINE_MS);
    assert.deepEqual(
      [...new Set(reader.values())],
      Array.from({ length: written }, (_, number) => String(number)),
    );
  });
});

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
