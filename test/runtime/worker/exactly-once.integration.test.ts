import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { Kafka, logLevel } from "kafkajs";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { eventually } from "#support/eventually.ts";
import { createTopic, sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

describe("exactly-once sources on real workers", { timeout: 560_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-exactly-once-"));
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  const workers = new Set<TestWorker>();
  const readers = new Set<CommittedReader>();
  const disconnect = new Set<() => Promise<void>>();
  before(async () => {
    kafka = await sharedKafka();
  });
  afterEach(async () => {
    await Promise.all([...workers].map((worker) => worker.process.kill()));
    workers.clear();
    await Promise.all([...readers].map((reader) => reader.close()));
    readers.clear();
    for (const end of disconnect) await end();
    disconnect.clear();
  });
  after(async () => {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const properties = (group: string, support = "enabled") => ({
    ...groupProperties(kafka.bootstrap, group),
    "exactly.once.source.support": support,
    "headrace.metrics.listener": "",
    // A survivor needs nothing of it.
    "session.timeout.ms": "10000",
    "heartbeat.interval.ms": "1000",
  });

  async function start(group: string, support?: string): Promise<TestWorker> {
    const worker = await startWorker({ dir, properties: properties(group, support) });
    workers.add(worker);
    return worker;
  }

  function read(topic: string): CommittedReader {
    const reader = openCommittedReader(kafka.bootstrap, topic);
    readers.add(reader);
    return reader;
  }

  const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i}`);
  const append = (file: string, lines: readonly string[]) => appendFileSync(file, `${lines.join("\n")}\n`);

  /** A producer with somebody's transactional id and an open transaction. */
  async function openZombie(transactionalId: string, topic: string) {
    const client = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING });
    const producer = client.producer({ transactionalId, maxInFlightRequests: 1, retry: { retries: 1 } });
    await producer.connect();
    disconnect.add(() => producer.disconnect());
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ key: "zombie", value: "-1" }] });
    return transaction;
  }

  /** The task counts in the config topic, in order. */
  function taskCounts(configs: CommittedReader): readonly number[] {
    const records = configs.records.filter(({ key }) => key?.startsWith("tasks-fencing-"));
    return records.map(({ value }) => JSON.parse(value ?? "")["task-count"]);
  }

  async function create(url: string, name: string, config: Readonly<Record<string, string>>): Promise<void> {
    const { status, body } = await rest(url, "POST", "/connectors", { name, config });
    assert.equal(status, 201, JSON.stringify(body));
  }

  async function ownerOf(url: string, connector: string): Promise<string | null> {
    const { body } = await rest(url, "GET", `/connectors/${connector}/status`);
    const [task] = (body as { tasks: readonly { state: string; worker_id: string }[] }).tasks;
    return task?.state === "RUNNING" ? task.worker_id : null;
  }

  it("loses and repeats nothing under kill -9 of whoever runs the task", async () => {
    const group = uniqueName("eos-kill");
    const topic = `${group}-lines`;
    const file = join(dir, `${group}.txt`);
    const total = 6_000;
    append(file, numbered(0, total));
    await createTopic(kafka.bootstrap, topic);
    const lines = read(topic);
    let survivor = await start(group);
    await start(group);
    await create(survivor.url, "source", {
      "connector.class": "FileStreamSource",
      "exactly.once.support": "required",
      "batch.size": "50",
      file,
      topic,
    });
    for (const share of [0.2, 0.5]) {
      await eventually(`${share} of the lines`, () => lines.records.length >= share * total, 90_000, 10);
      const owner = await eventually("the task's worker", async () => {
        const running = await ownerOf(survivor.url, "source");
        return [...workers].find(({ workerId }) => workerId === running);
      });
      await owner.process.kill();
      workers.delete(owner);
      survivor = await start(group);
    }
    await eventually("all lines", () => lines.records.length >= total, 90_000);
    assert.deepEqual(lines.values(), numbered(0, total));
    const { body } = await rest(survivor.url, "GET", "/connectors/source/offsets");
    const position = numbered(0, total).reduce((sum, line) => sum + line.length + 1, 0);
    assert.deepEqual(body, { offsets: [{ partition: { filename: file }, offset: { position } }] });
  });

  it("fences former tasks when their number changes, and tells nobody who does not sign", async () => {
    const group = uniqueName("eos-count");
    const topic = `${group}-lines`;
    await createTopic(kafka.bootstrap, topic);
    const lines = read(topic);
    const { url } = await start(group);
    const config = {
      "connector.class": "datagen",
      topic,
      template: "{{sequence}}",
      "template.format": "text",
      "rate.per.second": "0",
      count: "90",
      streams: "3",
      "tasks.max": "3",
    };
    await create(url, "gen", config);
    await eventually("three tasks' records", () => lines.records.length >= 90);
    const configs = read(`${group}-configs`);
    await eventually("a task count of 3", () => taskCounts(configs).join() === "3");

    // A zombie of the third task, with a transaction under way.
    const zombie = await openZombie(`${group}-gen-2`, topic);
    assert.equal(
      (await rest(url, "PUT", "/connectors/gen/config", { ...config, count: "120", "tasks.max": "1" })).status,
      200,
    );
    await eventually("the rest", () => lines.records.length >= 120);
    await assert.rejects(zombie.commit());
    await eventually("a task count of 1", () => taskCounts(configs).join() === "3,1");
    assert.deepEqual(
      lines
        .values()
        .map(Number)
        .toSorted((a, b) => a - b),
      Array.from({ length: 120 }, (_, n) => n),
    );
    assert.equal((await rest(url, "PUT", "/connectors/gen/fence")).status, 400);
  });

  it("goes on when somebody else takes the leader's transactional id", async () => {
    const group = uniqueName("eos-leader");
    const { url } = await start(group, "preparing");
    // The leader may take its id back while somebody else begins.
    const usurper = await eventually("the usurper", () => openZombie(`connect-cluster-${group}`, `${group}-configs`));
    await create(url, "idle", {
      "connector.class": "datagen",
      topic: `${group}-t`,
      template: "x",
      "template.format": "text",
      count: "1",
      streams: "1",
    });
    await assert.rejects(usurper.commit());
    assert.deepEqual((await rest(url, "GET", "/connectors")).body, ["idle"]);
  });

  it("keeps offsets in the connector's own topic, shows them and lets them be altered", async () => {
    const group = uniqueName("eos-own");
    const topic = `${group}-lines`;
    const file = join(dir, `${group}.txt`);
    append(file, numbered(0, 10));
    await createTopic(kafka.bootstrap, topic);
    const lines = read(topic);
    const { url } = await start(group);
    const own = `${group}-own-offsets`;
    await create(url, "source", {
      "connector.class": "FileStreamSource",
      "transaction.boundary": "interval",
      "transaction.boundary.interval.ms": "200",
      "offsets.storage.topic": own,
      file,
      topic,
    });
    await eventually("the lines", () => lines.records.length >= 10);
    assert.deepEqual((await rest(url, "GET", "/connectors/source/offsets")).body, {
      offsets: [{ partition: { filename: file }, offset: { position: 70 } }],
    });
    const stored = read(own);
    await eventually("its own topic", () => stored.records.length >= 1);
    assert.deepEqual(stored.records.at(-1)?.key, JSON.stringify(["source", { filename: file }]));

    assert.equal((await rest(url, "PUT", "/connectors/source/stop")).status, 204);
    const wanted = { offsets: [{ partition: { filename: file }, offset: { position: 63 } }] };
    await eventually("the alteration", async () => {
      return (await rest(url, "PATCH", "/connectors/source/offsets", wanted)).status === 200;
    });
    assert.deepEqual((await rest(url, "GET", "/connectors/source/offsets")).body, wanted);
    assert.equal((await rest(url, "PUT", "/connectors/source/resume")).status, 202);
    await eventually("the last line again", () => lines.records.length >= 11);
    assert.deepEqual(lines.values(), [...numbered(0, 10), "line 9"]);
  });
});
