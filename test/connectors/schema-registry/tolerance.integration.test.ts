import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import kafkajs from "kafkajs";
import { repoRoot } from "#dev/cache.ts";
import { freePorts } from "#dev/process.ts";
import { buildConnectors } from "#dev/setup/connectors.ts";
import { type ApicurioServer, startApicurio } from "#support/apicurio-server.ts";
import { eventually } from "#support/eventually.ts";
import { createTopic, sharedKafka, uniqueName } from "#support/kafka.ts";
import { createConnector, groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

const LIMIT_MS = 120_000;
const DATA_EXCEPTION = "org.apache.kafka.connect.errors.DataException";

describe("errors.tolerance in a worker with a real Apicurio Registry, compatibility BACKWARD", () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let registry: ApicurioServer;
  let worker: TestWorker;
  let client: kafkajs.Kafka;
  let admin: kafkajs.Admin;
  let dir: string;
  let metricsUrl: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "headrace-tolerance-"));
    kafka = await sharedKafka();
    registry = await startApicurio();
    const compatibility = await rest(registry.compatibleUrl, "PUT", "/config", { compatibility: "BACKWARD" });
    assert.equal(compatibility.status, 200);
    client = new kafkajs.Kafka({ brokers: [kafka.bootstrap], logLevel: kafkajs.logLevel.NOTHING });
    admin = client.admin();
    await admin.connect();
    const packages = await buildConnectors(["schema-registry"]);
    const [metricsPort = 0] = await freePorts(1);
    metricsUrl = `http://127.0.0.1:${metricsPort}`;
    worker = await startWorker({
      dir,
      properties: {
        ...groupProperties(kafka.bootstrap, uniqueName("tolerance")),
        "plugin.path": [...packages, join(repoRoot, "test/fixtures/plugins/changing-schema")].join(","),
        "headrace.plugin.load.timeout.ms": String(LIMIT_MS),
        "headrace.metrics.listener": metricsUrl,
      },
    });
    // Packages are loaded after the start.
    await eventually(
      "both packages are loaded",
      async () => {
        const { body } = await rest(worker.url, "GET", "/connector-plugins?connectorsOnly=false");
        return ["avro", "changing-schema"].every((name) => JSON.stringify(body).includes(name));
      },
      LIMIT_MS,
    );
  });
  after(async () => {
    await worker?.process.stop();
    await admin?.disconnect();
    await registry?.stop();
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const avro = () => ({
    "value.converter": "io.confluent.connect.avro.AvroConverter",
    "value.converter.schema.registry.url": registry.compatibleUrl,
  });
  const startSource = (name: string, config: Readonly<Record<string, string>>) =>
    createConnector(worker.url, name, { "connector.class": "changing-schema", ...avro(), ...config });

  /** Starts a sink that writes a topic's orders into a file; answers what reads them from there. */
  async function startSink(
    name: string,
    topic: string,
    config: Readonly<Record<string, string>> = {},
  ): Promise<() => readonly string[]> {
    const file = join(dir, `${name}.txt`);
    const own = {
      "connector.class": "file-sink",
      file,
      topics: topic,
      "consumer.override.auto.offset.reset": "earliest",
    };
    await createConnector(worker.url, name, { ...own, ...avro(), ...config });
    return () => readFileSync(file, "utf8").split("\n").slice(0, -1);
  }

  /** How many records a topic of one partition has. */
  async function recordsIn(topic: string): Promise<number> {
    const [partition] = await admin.fetchTopicOffsets(topic);
    return Number(partition?.high);
  }

  async function taskOf(name: string): Promise<{ readonly state: string; readonly trace?: string }> {
    const { body } = await rest(worker.url, "GET", `/connectors/${name}/status`);
    const { tasks } = body as { readonly tasks: readonly { readonly state: string; readonly trace?: string }[] };
    return tasks[0] ?? assert.fail(`${name} has no task`);
  }

  /** A counter of a connector's task 0 among kafka_connect_task_error_*. */
  async function errorMetric(connector: string, name: string): Promise<number> {
    const text = await (await fetch(`${metricsUrl}/metrics`, { signal: AbortSignal.timeout(20_000) })).text();
    const line = text
      .split("\n")
      .find((each) => each.startsWith(`kafka_connect_task_error_${name}{`) && each.includes(`"${connector}"`));
    return Number(line?.split(" ")[1]);
  }

  const versionsOf = async (subject: string) =>
    (await rest(registry.compatibleUrl, "GET", `/subjects/${subject}/versions`)).body;

  it("all: a source's record whose schema the registry refuses is skipped, its neighbours arrive", {
    timeout: 480_000,
  }, async () => {
    const topic = uniqueName("evolving");
    await createTopic(kafka.bootstrap, topic);
    const logging = { "errors.tolerance": "all", "errors.log.enable": "true" };
    await startSource(topic, { topic, orders: "1,2!,3", ...logging });
    const lines = await startSink(`${topic}-out`, topic);
    await eventually("the third order", () => lines().includes("Struct{id=3}"), LIMIT_MS);
    assert.deepEqual(lines(), ["Struct{id=1}", "Struct{id=3}"]);
    assert.equal(await recordsIn(topic), 2);
    assert.deepEqual(await versionsOf(`${topic}-value`), [1]);
    assert.equal((await taskOf(topic)).state, "RUNNING");
    const skipped = () => errorMetric(topic, "total_records_skipped");
    await eventually("the metric of one that was skipped", async () => (await skipped()) === 1);
    const told = readFileSync(worker.process.logFile, "utf8")
      .split("\n")
      .filter((line) => line.includes(`Error encountered in task ${topic}-0. Executing stage 'VALUE_CONVERTER'`));
    assert.equal(told.length, 1);
    assert.match(told[0] ?? "", new RegExp(`subject ${topic}-value, which is not compatible`));
    // It does not come back after a restart.
    await eventually("the offset behind all three", async () => {
      const { body } = await rest(worker.url, "GET", `/connectors/${topic}/offsets`);
      return JSON.stringify(body).includes('{"given":3}');
    });
  });

  it("all: what a sink cannot read goes to the dead letter queue and tells why, its neighbours arrive", {
    timeout: 480_000,
  }, async () => {
    const topic = uniqueName("mixed");
    const name = `${topic}-out`;
    const letters = `${topic}-dlq`;
    await createTopic(kafka.bootstrap, topic);
    const garbage = Buffer.from("garbage");
    const unknownId = Buffer.from("007fffffff02", "hex");
    // All are there before the sink is, so that it reads them in one batch.
    await startSource(`${topic}-first`, { topic, orders: "1" });
    await eventually("the first order", async () => (await recordsIn(topic)) === 1, LIMIT_MS);
    const producer = client.producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ value: garbage }, { value: unknownId }] });
    await producer.disconnect();
    await startSource(`${topic}-last`, { topic, orders: "2" });
    await eventually("the last order", async () => (await recordsIn(topic)) === 4, LIMIT_MS);

    const lines = await startSink(name, topic, {
      "errors.tolerance": "all",
      "errors.deadletterqueue.topic.name": letters,
      "errors.deadletterqueue.topic.replication.factor": "1",
      "errors.deadletterqueue.context.headers.enable": "true",
    });
    await eventually("the last order in the file", () => lines().includes("Struct{id=2}"), LIMIT_MS);
    assert.deepEqual(lines(), ["Struct{id=1}", "Struct{id=2}"]);

    const messages: kafkajs.KafkaMessage[] = [];
    const consumer = client.consumer({ groupId: uniqueName("letters") });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic: letters, fromBeginning: true });
      await consumer.run({ eachMessage: async ({ message }) => void messages.push(message) });
      await eventually("two dead letters", () => messages.length === 2, LIMIT_MS);
    } finally {
      await consumer.disconnect();
    }
    assert.deepEqual(
      messages.map(({ value }) => value),
      [garbage, unknownId],
    );
    for (const [index, why] of [/Unknown magic byte/, /does not have schema 2147483647 \(404\)/].entries()) {
      const header = (key: string) => String(messages[index]?.headers?.[`__connect.errors.${key}`]);
      const keys = ["topic", "partition", "offset", "connector.name", "task.id", "stage", "exception.class.name"];
      assert.deepEqual(keys.map(header), [topic, "0", `${index + 1}`, name, "0", "VALUE_CONVERTER", DATA_EXCEPTION]);
      assert.match(header("exception.message"), why);
    }
    for (const metric of ["total_records_skipped", "deadletterqueue_produce_requests"])
      await eventually(`${metric} of two`, async () => (await errorMetric(name, metric)) === 2);
    assert.equal((await taskOf(name)).state, "RUNNING");
    await eventually("a commit behind all four", async () => {
      const [group] = await admin.fetchOffsets({ groupId: `connect-${name}`, topics: [topic] });
      return group?.partitions[0]?.offset === "4";
    });
  });

  it("none: the task fails, and its trace tells the subject and that the schema is not compatible", {
    timeout: 480_000,
  }, async () => {
    const topic = uniqueName("strict");
    await createTopic(kafka.bootstrap, topic);
    await startSource(topic, { topic, orders: "1,2!,3" });
    const { trace = "" } = await eventually(
      "the task has failed",
      async () => {
        const task = await taskOf(topic);
        return task.state === "FAILED" && task;
      },
      LIMIT_MS,
    );
    assert.match(trace, /Tolerance exceeded in error handler/);
    assert.match(trace, new RegExp(`DataError: .*subject ${topic}-value, which is not compatible .*\\(409\\)`));
    assert.deepEqual(await versionsOf(`${topic}-value`), [1]);
    assert.ok((await recordsIn(topic)) <= 1, "nothing behind the refused record is sent");
  });
});
