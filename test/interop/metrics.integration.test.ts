import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startJvmWorker } from "#dev/kafka.ts";
import { freePorts } from "#dev/process.ts";
import { kafkaLibs } from "#dev/setup/kafka.ts";
import { FAMILIES } from "#runtime/metrics/families.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { createConnector, groupProperties, rest, startWorker } from "#support/worker.ts";

const MBEANS = fileURLToPath(new URL("./MBeans.java", import.meta.url));

/** Groups that are not served: Kafka's Java client has no counterpart here. */
const CLIENT_ONLY = /^(connect-metrics|connect-node-metrics|kafka-metrics-count)$/;
/** Attributes of ours that a JVM worker registers only with exactly-once. */
const EXACTLY_ONCE_ONLY = /^transaction-size-/;

/**
 * One source with a transform and a predicate, one sink, one sink that fails. The consumer groups are named after the sinks, and Kafka is shared
 * with other tests.
 */
function connectors(dir: string, topic: string): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const base = { "tasks.max": "1" };
  const sink = { ...base, "connector.class": "FileStreamSink", topics: topic };
  return {
    [`${topic}-source`]: {
      ...base,
      "connector.class": "FileStreamSource",
      file: join(dir, "in.txt"),
      topic,
      transforms: "t",
      "transforms.t.type": "org.apache.kafka.connect.transforms.Filter",
      "transforms.t.predicate": "p",
      predicates: "p",
      "predicates.p.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
    },
    [`${topic}-sink`]: { ...sink, file: join(dir, "out.txt") },
    [`${topic}-failing`]: {
      ...sink,
      file: join(dir, "out2.txt"),
      "value.converter": "org.apache.kafka.connect.json.JsonConverter",
      "value.converter.schemas.enable": "false",
    },
  };
}

async function runConnectors(url: string, dir: string, topic: string): Promise<void> {
  for (const [name, config] of Object.entries(connectors(dir, topic))) {
    await createConnector(url, name, config);
  }
  const statusOf = async (name: string) => JSON.stringify((await rest(url, "GET", `/connectors/${name}/status`)).body);
  await eventually("the failure", async () => (await statusOf(`${topic}-failing`)).includes("FAILED"), 120_000);
  await eventually(
    "the others",
    async () => ((await statusOf(`${topic}-sink`)).match(/RUNNING/g) ?? []).length === 2,
    120_000,
  );
}

describe("metrics beside a JVM worker's", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-metrics-"));
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;

  before(async () => {
    kafka = await sharedKafka();
    writeFileSync(join(dir, "in.txt"), "{broken\nmore\n");
  });
  after(async () => {
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("have the attributes of its MBeans, and no others of its groups", { timeout: 400_000 }, async (t) => {
    const group = uniqueName("jvm-metrics");
    const jvm = await startJvmWorker({ dir, properties: groupProperties(kafka.bootstrap, group) });
    let listed: string;
    try {
      await runConnectors(jvm.url, dir, `${group}-lines`);
      const command = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", `${await kafkaLibs()}/*`];
      const args = [...command, MBEANS, String(jvm.process.pid), "kafka.connect:*"];
      listed = (await promisify(execFile)("java", args, { maxBuffer: 1 << 26 })).stdout;
    } finally {
      await jvm.stop();
    }
    const theirs = new Set<string>();
    for (const line of listed.split("\n")) {
      const [bean = "", attribute = ""] = line.split("\t");
      const type = /[:,]type=([^,]+)/.exec(bean)?.[1];
      // Beans with an id are the same numbers under their old names.
      if (type === undefined || CLIENT_ONLY.test(type) || /[:,]id=/.test(bean)) continue;
      theirs.add(`${type}: ${attribute}`);
    }
    const appInfo = ["app-info: commit-id"]; // A label beside the version.
    const ours = new Set([
      ...appInfo,
      ...[...FAMILIES.values()].flatMap(({ bean }) =>
        bean === null || EXACTLY_ONCE_ONLY.test(bean.attribute) ? [] : [`${bean.type}: ${bean.attribute}`],
      ),
    ]);
    assert.deepEqual([...ours].sort(), [...theirs].sort());
    t.diagnostic(
      `interop | metric attributes and the JVM worker's MBeans | ${theirs.size} attributes | equal; not served: Java client's network metrics`,
    );
  });

  it("are all at /metrics of a worker whose tasks have run", { timeout: 300_000 }, async () => {
    const group = uniqueName("our-metrics");
    const [port = 0] = await freePorts(1);
    const properties = { "headrace.metrics.listener": `http://127.0.0.1:${port}` };
    const worker = await startWorker({
      dir,
      properties: { ...groupProperties(kafka.bootstrap, group), ...properties },
    });
    try {
      await runConnectors(worker.url, dir, `${group}-lines`);
      const wanted = [...FAMILIES].filter(([name]) => !/transaction_size/.test(name)).map(([name]) => name);
      const missing = async () => {
        const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        return wanted.filter((name) => !new RegExp(`^${name}[ {]`, "m").test(text));
      };
      await eventually("all metrics", async () => (await missing()).length === 0, 60_000).catch(async () => {
        assert.deepEqual(await missing(), []);
      });
    } finally {
      await worker.process.stop();
    }
  });
});
