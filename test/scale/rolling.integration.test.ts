import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { kafkaTool } from "#dev/kafka.ts";
import { createKubectl } from "#dev/kubectl.ts";
import { sendSignal } from "#dev/process-table.ts";
import { startOperator } from "#dev/stack/operator.ts";
import { down, type Stack, status, up, WORKER_IMAGE } from "#dev/stack.ts";
import { eventually } from "#support/eventually.ts";

const DEADLINE_MS = 120_000;
const CONNECTORS = ["a", "b", "c", "d", "e", "f"];
const WRITE_EVERY_MS = 50;
/** What a task may stand still while its worker is replaced, on a machine that may be busy with other things; the figures are printed. */
const DOWNTIME_LIMIT_MS = 60_000;

const Connect = z.object({
  metadata: z.object({ generation: z.number() }),
  status: z
    .looseObject({
      observedGeneration: z.number().optional(),
      conditions: z
        .array(
          z.looseObject({
            type: z.string(),
            status: z.string(),
            reason: z.string().optional(),
            message: z.string().optional(),
          }),
        )
        .default([]),
    })
    .optional(),
});

/** Three workers under load: rolled, with a bad configuration, with an image that never starts, with the operator killed in between. */
describe("rolling updates", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-rolling-"));
  let stack: Stack;
  let stopWriting: () => Promise<number>;
  /** When workers were replaced, epoch ms. */
  const rolls: { readonly fromMs: number; readonly toMs: number }[] = [];

  before(async () => {
    delete process.env["HEADRACE_KUBECONFIG"];
    stack = await up({ dir: join(dir, "stack"), restartBackOffMs: 500 });
    await stack.kubectl(["apply", "-f", "-"], { input: JSON.stringify(cluster()) });
    await until(/^True Ready/);
    for (const name of CONNECTORS) {
      appendFileSync(fileOf(name), "");
      const spec = { class: "file-source", tasksMax: 1, config: { file: fileOf(name), topic: `rolling-${name}` } };
      const metadata = { name, labels: { "headrace.dev/cluster": "rolled" } };
      const resource = { apiVersion: "headrace.dev/v1", kind: "KafkaConnector", metadata, spec };
      await stack.kubectl(["apply", "-f", "-"], { input: JSON.stringify(resource) });
    }
    await stack.kubectl(["wait", "--for=condition=Ready", "--timeout=120s", "kctr", ...CONNECTORS]);
    stopWriting = write();
  });

  after(async () => {
    await stopWriting?.();
    await down({ dir: join(dir, "stack") });
    rmSync(dir, { recursive: true, force: true });
  });

  const fileOf = (connector: string) => join(dir, `${connector}.txt`);

  function cluster() {
    return {
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnect",
      metadata: { name: "rolled" },
      spec: {
        replicas: 3,
        image: WORKER_IMAGE,
        bootstrapServers: stack.bootstrap,
        groupId: "rolled",
        configStorageTopic: "rolled-configs",
        offsetStorageTopic: "rolled-offsets",
        statusStorageTopic: "rolled-status",
        config: {
          "config.storage.replication.factor": 1,
          "offset.storage.replication.factor": 1,
          "status.storage.replication.factor": 1,
          "value.converter": "org.apache.kafka.connect.storage.StringConverter",
          "offset.flush.interval.ms": 1000,
        },
      },
    };
  }

  /** Appends numbered lines to all files until it is stopped; answers how many each has. */
  function write(): () => Promise<number> {
    const stop = new AbortController();
    let count = 0;
    const writing = (async () => {
      while (!stop.signal.aborted) {
        for (const name of CONNECTORS) appendFileSync(fileOf(name), `${name} ${count}\n`);
        count += 1;
        await sleep(WRITE_EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    })();
    return async () => {
      stop.abort();
      await writing;
      return count;
    };
  }

  async function until(wanted: RegExp): Promise<void> {
    let last = "nothing";
    await eventually(
      `the cluster is ${wanted}`,
      async () => {
        const resource = Connect.parse(JSON.parse(await stack.kubectl(["get", "kc", "rolled", "-o", "json"])));
        const ready = resource.status?.conditions.find(({ type }) => type === "Ready");
        last = `${ready?.status} ${ready?.reason}: ${ready?.message}`;
        return resource.status?.observedGeneration === resource.metadata.generation && wanted.test(last);
      },
      DEADLINE_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
  }

  const patch = (spec: object) =>
    stack.kubectl(["patch", "kc", "rolled", "--type=merge", "-p", JSON.stringify({ spec })]);

  async function podUids(): Promise<readonly string[]> {
    const selector = "headrace.dev/name=rolled-connect";
    return (await stack.kubectl(["get", "pods", "-l", selector, "-o", "jsonpath={.items[*].metadata.uid}"])).split(" ");
  }

  async function rolling(work: () => Promise<void>): Promise<number> {
    const fromMs = Date.now();
    await work();
    rolls.push({ fromMs, toMs: Date.now() });
    return Date.now() - fromMs;
  }

  it("replaces all workers one by one, and tells what changes", async (test) => {
    const before = await podUids();
    const tookMs = await rolling(async () => {
      await patch({ config: { "offset.flush.interval.ms": 900 } });
      await until(/^False Rolling: .*\(config offset\.flush\.interval\.ms\)/);
      await until(/^True Ready/);
    });
    assert.ok((await podUids()).every((uid) => !before.includes(uid)));
    test.diagnostic(`table | 3 workers rolled | ${(tookMs / 1000).toFixed(1)} s`);
  });

  it("touches no worker for a configuration that cannot work", async () => {
    const before = await podUids();
    await patch({ config: { "key.converter": "no.such.Converter" } });
    await until(/^False PreflightFailed: .*no\.such\.Converter/);
    assert.deepEqual(await podUids(), before);
    await patch({ config: { "key.converter": null } });
    await until(/^True Ready/);
    assert.deepEqual(await podUids(), before);
  });

  it("turns back from an image that never starts", async () => {
    await stack.kubectl(["annotate", "kc", "rolled", "headrace.dev/skip-preflight=true"]);
    await patch({ image: "no/such:image" });
    await until(/^False RolledBack: .*image headrace\/worker:dev → no\/such:image.*3 workers go on/);
    await stack.kubectl(["annotate", "kc", "rolled", "headrace.dev/skip-preflight-"]);
    await patch({ image: WORKER_IMAGE });
    await until(/^True Ready/);
  });

  it("goes on where the operator was killed", async () => {
    const before = await podUids();
    await patch({ config: { "offset.flush.interval.ms": 800 } });
    await until(/^False Rolling/);
    const operator = status({ dir: join(dir, "stack") }).processes.find(({ name }) => name === "operator");
    assert.ok(operator !== undefined && sendSignal(operator.pid, "SIGKILL"));
    const { adminKubeconfig, kubectlPath } = stack;
    const kubectl = createKubectl({ binary: kubectlPath, kubeconfig: adminKubeconfig, cacheDir: join(dir, "kubectl") });
    const next = await startOperator({ dir: join(dir, "stack"), adminKubeconfig, kubectl, workerImage: WORKER_IMAGE });
    try {
      await rolling(() => until(/^True Ready/));
      assert.ok((await podUids()).every((uid) => !before.includes(uid)));
    } finally {
      await next.process.stop(20_000);
    }
  });

  it("has lost nothing, and tells how long each task stood still", async (test) => {
    const count = await stopWriting();
    const gaps: number[] = [];
    const pauses: number[] = [];
    for (const name of CONNECTORS) {
      const records = await eventually(`all of ${name} is in Kafka`, () => read(name, count), DEADLINE_MS);
      const values = records.map(({ value }) => value);
      assert.deepEqual(
        [...new Set(values)],
        Array.from({ length: count }, (_, n) => `${name} ${n}`),
      );
      const steps = records.map(({ atMs }, index) => ({ atMs, gapMs: atMs - (records[index - 1]?.atMs ?? atMs) }));
      gaps.push(Math.max(...steps.map(({ gapMs }) => gapMs)));
      for (const { fromMs, toMs } of rolls) {
        const within = steps.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
        pauses.push(Math.max(...within.map(({ gapMs }) => gapMs)));
      }
      test.diagnostic(
        `table | ${name}, longest pause | ${gaps.at(-1)} ms | ${values.length - count} of ${count} twice`,
      );
    }
    const sorted = pauses.toSorted((a, b) => a - b);
    const share = (part: number) => sorted[Math.ceil(sorted.length * part) - 1];
    const figures = [share(0.5), share(0.95), sorted.at(-1)].map((ms) => `${ms} ms`);
    test.diagnostic(`table | a task's longest pause in a roll, p50, p95, longest | ${figures.join(", ")}`);
    assert.equal(pauses.length, CONNECTORS.length * rolls.length);
    assert.ok(Math.max(...gaps) < DOWNTIME_LIMIT_MS, `longest pauses: ${gaps.join(", ")} ms`);
  });

  /** The records of a topic with the times at which they were produced; undefined if there are fewer than `count`. */
  async function read(connector: string, count: number) {
    const text = await kafkaTool("org.apache.kafka.tools.consumer.ConsoleConsumer", [
      ...["--bootstrap-server", stack.bootstrap, "--topic", `rolling-${connector}`, "--from-beginning"],
      ...["--timeout-ms", "3000", "--formatter-property", "print.timestamp=true"],
    ]);
    const records = text.split("\n").flatMap((line) => {
      const [, at, value] = /^CreateTime:(\d+)\t(.*)$/.exec(line) ?? [];
      return at === undefined || value === undefined ? [] : [{ atMs: Number(at), value }];
    });
    return new Set(records.map(({ value }) => value)).size >= count ? records : undefined;
  }
});
