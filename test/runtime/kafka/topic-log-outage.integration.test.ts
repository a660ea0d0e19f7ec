import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type LocalKafka, startKafka } from "#dev/kafka.ts";
import { freePorts } from "#dev/process.ts";
import { eventually } from "#support/eventually.ts";
import { ownKafka, uniqueName } from "#support/kafka.ts";
import { openLog, record, type TestLog } from "#support/topic-logs.ts";

const signal = AbortSignal.timeout(240_000);

/** A broker that was killed may come back under its id when its session is over. */
const QUICK = { "broker.session.timeout.ms": "1500", "broker.heartbeat.interval.ms": "300" };

/** Appends 0, 1, 2, … under one key, each when the one before is acknowledged, until it is stopped. */
function startCounting(log: TestLog, key: string) {
  const stopping = new AbortController();
  let acknowledged = -1;
  const run = async () => {
    while (!stopping.signal.aborted) {
      await log.append([record(key, `${acknowledged + 1}`)], null, signal);
      acknowledged += 1;
    }
  };
  const running = run();
  return {
    acknowledged: () => acknowledged,
    stop: async () => {
      stopping.abort();
      await running;
      return acknowledged;
    },
  };
}

/** Everything from 0 to `last`, in order; a retried append may repeat its value, never put it behind a newer one. */
function assertComplete(log: TestLog, key: string, last: number): void {
  const numbers = log.records.filter((found) => `${found.key}` === key).map(({ value }) => Number(value));
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  );
  assert.deepEqual(
    [...new Set(numbers)],
    Array.from({ length: last + 1 }, (_, i) => i),
  );
}

describe("a topic log whose broker goes away", () => {
  let kafka: LocalKafka;

  before(async () => {
    kafka = await ownKafka({ properties: { ...QUICK, "log.cleaner.backoff.ms": "100" }, heap: "512m" });
  });
  after(() => kafka.stop());

  it("loses nothing and keeps the order when the broker is killed in the middle of appends", async () => {
    const topic = uniqueName("killed");
    const writer = await openLog({ bootstrap: kafka.bootstrap, topic });
    const reader = await openLog({ bootstrap: kafka.bootstrap, topic });
    const counting = startCounting(writer, "n");
    await eventually("some appends", () => counting.acknowledged() > 50);
    await kafka.kill();
    const atKill = counting.acknowledged();
    kafka = await kafka.restart();
    await eventually("appends after the restart", () => counting.acknowledged() > atKill + 50);
    const last = await counting.stop();
    await Promise.all([writer.readToEnd(signal), reader.readToEnd(signal)]);
    assertComplete(writer, "n", last);
    assertComplete(reader, "n", last);
    await Promise.all([writer.stop(), reader.stop()]);
  });

  it("waits for the broker when it reads to the end, and gives up when it is told to", async () => {
    const topic = uniqueName("away");
    const log = await openLog({ bootstrap: kafka.bootstrap, topic });
    await log.append([record("a", "1")], null, signal);
    await kafka.kill();
    await assert.rejects(log.readToEnd(AbortSignal.timeout(700)), { name: "TimeoutError" });
    await assert.rejects(log.append([record("a", "withdrawn")], null, AbortSignal.timeout(700)), {
      name: "TimeoutError",
    });
    const attempts: number[] = [];
    const before = async (attempt: number) => {
      attempts.push(attempt);
      if (attempt === 3) throw new Error("no more");
    };
    await assert.rejects(log.append([record("a", "thrice")], before, signal), /no more/);
    assert.deepEqual(attempts, [0, 1, 2, 3]);
    const waiting = Promise.all([log.append([record("a", "2")], null, signal), log.readToEnd(signal)]);
    kafka = await kafka.restart();
    await waiting;
    await log.readToEnd(signal);
    assert.deepEqual(log.texts(), ["a=1", "a=2"]);
    assert.ok(log.warnings().length > 0);
    await log.stop();
  });

  it("reads over what compaction has removed, up to the end", async () => {
    const topic = uniqueName("compacted");
    const configs = {
      "segment.ms": "200",
      "min.cleanable.dirty.ratio": "0.001",
      "delete.retention.ms": "0",
      "max.compaction.lag.ms": "300",
    };
    const log = await openLog({ bootstrap: kafka.bootstrap, topic, configs });
    for (let i = 0; i < 20; i++) await log.append([record("old", `${i}`)], null, signal);
    await log.append([record("old")], null, signal);
    await eventually("the cleaner has removed the values and their tombstone", async () => {
      await log.append([record("roll", "x")], null, signal); // Only closed segments are cleaned.
      const fresh = await openLog({ bootstrap: kafka.bootstrap, topic });
      const left = fresh.texts().filter((text) => text.startsWith("old"));
      await fresh.readToEnd(signal);
      await fresh.stop();
      return left.length === 0;
    });
    await log.append([record("new", "1"), record("gone", "1")], null, signal);
    await log.append([record("gone")], null, signal);
    const fresh = await openLog({ bootstrap: kafka.bootstrap, topic });
    assert.deepEqual(fresh.texts().slice(-1), ["gone="]);
    await fresh.stop();
    await log.stop();
  });

  it("starts again at the beginning if the topic was made anew under it", async () => {
    const topic = uniqueName("anew");
    const log = await openLog({ bootstrap: kafka.bootstrap, topic });
    for (let i = 0; i < 5; i++) await log.append([record("a", `${i}`)], null, signal);
    await log.readToEnd(signal);
    const { default: kafkajs } = await import("kafkajs");
    const admin = new kafkajs.Kafka({ brokers: [kafka.bootstrap], logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    const topics = [{ topic, numPartitions: 1, configEntries: [{ name: "cleanup.policy", value: "compact" }] }];
    await eventually("the topic is made anew", () => admin.createTopics({ topics, waitForLeaders: false }));
    await admin.disconnect();
    const writer = await openLog({ bootstrap: kafka.bootstrap, topic });
    await writer.append([record("b", "new")], null, signal);
    await writer.stop();
    await eventually("the new record is read", () => log.texts().includes("b=new"));
    await log.stop();
  });
});

describe("a topic log on two brokers", () => {
  let first: LocalKafka;
  let second: LocalKafka;

  before(async () => {
    first = await ownKafka({ properties: QUICK, heap: "512m" });
    second = await joinBroker(first);
  });
  after(async () => {
    await second.kill();
    await first.stop();
  });

  it("follows the leaders to another broker and back", async () => {
    const topic = uniqueName("leaders");
    const options = { bootstrap: first.bootstrap, topic, partitions: 6, replicationFactor: 2 };
    const writer = await openLog(options);
    const reader = await openLog(options);
    const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let counters = keys.map((key) => startCounting(writer, key));
    await eventually("appends on all partitions", () => counters.every(({ acknowledged }) => acknowledged() > 20));
    await second.kill();
    const atKill = counters.map(({ acknowledged }) => acknowledged());
    await eventually("appends without the second broker", () =>
      counters.every(({ acknowledged }, index) => acknowledged() > (atKill[index] ?? 0) + 20),
    );
    second = await second.restart();
    const atRestart = counters.map(({ acknowledged }) => acknowledged());
    await eventually("appends with both brokers", () =>
      counters.every(({ acknowledged }, index) => acknowledged() > (atRestart[index] ?? 0) + 20),
    );
    const last = await Promise.all(counters.map((counter) => counter.stop()));
    counters = [];
    await Promise.all([writer.readToEnd(signal), reader.readToEnd(signal)]);
    for (const [index, key] of keys.entries()) {
      assertComplete(writer, key, last[index] ?? 0);
      assertComplete(reader, key, last[index] ?? 0);
    }
    await Promise.all([writer.stop(), reader.stop()]);
  });
});

/** Starts a second broker of the same cluster, under the first one's controller. */
async function joinBroker(first: LocalKafka): Promise<LocalKafka> {
  const read = (file: string, key: string) => {
    const found = new RegExp(`^${key}=(.*)$`, "m").exec(readFileSync(join(first.dir, file), "utf8"))?.[1];
    assert.ok(found !== undefined, `${file} has ${key}`);
    return found;
  };
  const dir = join(first.dir, "second");
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, "data"), { recursive: true });
  const cluster = read("data/meta.properties", "cluster.id");
  writeFileSync(join(dir, "data/meta.properties"), `version=1\ncluster.id=${cluster}\nnode.id=2\n`);
  const [port] = await freePorts(1);
  assert.ok(port !== undefined);
  return startKafka({
    dir,
    port,
    heap: "512m",
    properties: {
      "process.roles": "broker",
      "node.id": "2",
      "controller.quorum.voters": read("server.properties", "controller.quorum.voters"),
      listeners: `PLAINTEXT://127.0.0.1:${port}`,
    },
  });
}
