import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { type Admin, Kafka, logLevel } from "kafkajs";
import { type LocalKafka, startKafka } from "#dev/kafka.ts";
import { freePorts } from "#dev/process.ts";
import { eventually } from "#support/eventually.ts";
import { ownKafka, uniqueName } from "#support/kafka.ts";
import { openLog, record, type TestLog, type TestLogOptions } from "#support/topic-logs.ts";

const signal = AbortSignal.timeout(560_000);
/** Time for what takes a second or two on a machine that has nothing else to do. */
const PATIENCE_MS = 90_000;

/** A broker that was killed may come back under its id when its session is over. */
const QUICK = { "broker.session.timeout.ms": "1500", "broker.heartbeat.interval.ms": "300" };

const logs = new Set<TestLog>();

/** A log that is stopped after its tests, even if they fail: it would try for ever to reach brokers that are gone. */
async function opened(options: TestLogOptions): Promise<TestLog> {
  const log = await openLog(options);
  logs.add(log);
  return log;
}

async function closeLogs(): Promise<void> {
  await Promise.allSettled([...logs].map((log) => log.stop()));
  logs.clear();
}

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
  running.catch(() => {}); // For whoever stops it.
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
  beforeEach(async () => {
    if (!kafka.process.running()) kafka = await kafka.restart(); // A test has failed before it did so.
  });
  after(async () => {
    await closeLogs();
    await kafka?.stop();
  });

  it("loses nothing and keeps the order when the broker is killed in the middle of appends", async () => {
    const topic = uniqueName("killed");
    const writer = await opened({ bootstrap: kafka.bootstrap, topic });
    const reader = await opened({ bootstrap: kafka.bootstrap, topic });
    const counting = startCounting(writer, "n");
    await eventually("some appends", () => counting.acknowledged() > 50, PATIENCE_MS);
    await kafka.kill();
    const atKill = counting.acknowledged();
    kafka = await kafka.restart();
    await eventually("appends after the restart", () => counting.acknowledged() > atKill + 50, PATIENCE_MS);
    const last = await counting.stop();
    await Promise.all([writer.readToEnd(signal), reader.readToEnd(signal)]);
    assertComplete(writer, "n", last);
    assertComplete(reader, "n", last);
  });

  it("waits for the broker when it reads to the end, and gives up when it is told to", async () => {
    const topic = uniqueName("away");
    const log = await opened({ bootstrap: kafka.bootstrap, topic });
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
  });

  it("reads over what compaction has removed, up to the end", async () => {
    const topic = uniqueName("compacted");
    const configs = {
      "segment.ms": "200",
      "min.cleanable.dirty.ratio": "0.001",
      "delete.retention.ms": "0",
      "max.compaction.lag.ms": "300",
    };
    const log = await opened({ bootstrap: kafka.bootstrap, topic, configs });
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
  });

  it("starts again at the beginning if the topic was made anew under it", async () => {
    const topic = uniqueName("anew");
    const log = await opened({ bootstrap: kafka.bootstrap, topic });
    for (let i = 0; i < 5; i++) await log.append([record("a", `${i}`)], null, signal);
    await log.readToEnd(signal);
    const admin = await openAdmin(kafka.bootstrap);
    await admin.deleteTopics({ topics: [topic] });
    const topics = [{ topic, numPartitions: 1, configEntries: [{ name: "cleanup.policy", value: "compact" }] }];
    await eventually("the topic is made anew", () => admin.createTopics({ topics, waitForLeaders: false }));
    await admin.disconnect();
    const writer = await openLog({ bootstrap: kafka.bootstrap, topic });
    await writer.append([record("b", "new")], null, signal);
    await writer.stop();
    await eventually("the new record is read", () => log.texts().includes("b=new"));
  });
});

describe("a topic log on two brokers", () => {
  /** Who should lead goes back to leading within a second or so. */
  const properties = {
    ...QUICK,
    "leader.imbalance.check.interval.seconds": "1",
    "leader.imbalance.per.broker.percentage": "0",
  };
  const topic = uniqueName("leaders");
  const led = [1, 2, 1, 2, 1, 2];
  let first: LocalKafka | undefined;
  let second: LocalKafka | undefined;
  let admin: Admin | undefined;

  before(async () => {
    first = await ownKafka({ properties, heap: "512m" });
    second = await joinBroker(first, properties);
    admin = await openAdmin(first.bootstrap);
    const replicaAssignment = led.map((leader, partition) => ({ partition, replicas: [leader, 3 - leader] }));
    const configEntries = [{ name: "cleanup.policy", value: "compact" }];
    const made = { topics: [{ topic, replicaAssignment, configEntries }], waitForLeaders: false };
    // It is refused until the controller knows the second broker.
    await eventually("the topic is made", () => admin?.createTopics(made).catch(() => false), PATIENCE_MS);
  });
  after(async () => {
    await Promise.allSettled([closeLogs(), admin?.disconnect()]);
    await second?.kill();
    await first?.stop();
  });

  /**
   * Waits until the partitions are led by these, and no replica lags behind. A broker that the machine holds up for longer than its session
   * is out of sync for a while: killing the other one then would leave partitions without any leader until that one is back.
   */
  async function leadersAre(leaders: readonly number[], replicas: number): Promise<void> {
    await eventually(
      `leaders ${leaders}`,
      async () => {
        const { topics } = (await admin?.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined)) ?? {
          topics: [],
        };
        const partitions = topics[0]?.partitions.toSorted((a, b) => a.partitionId - b.partitionId) ?? [];
        return (
          partitions.length === leaders.length &&
          partitions.every(({ leader, isr }, index) => leader === leaders[index] && isr.length === replicas)
        );
      },
      PATIENCE_MS,
    );
  }

  it("follows the leaders to another broker and back", { timeout: 560_000 }, async () => {
    assert.ok(first !== undefined && second !== undefined);
    const options = { bootstrap: first.bootstrap, topic, partitions: led.length, replicationFactor: 2 };
    const [writer, reader] = [await opened(options), await opened(options)];
    const counters = ["a", "b", "c", "d", "e", "f", "g", "h"].map((key) => ({ key, ...startCounting(writer, key) }));
    const moveOn = async (what: string) => {
      const from = counters.map(({ acknowledged }) => acknowledged());
      await eventually(
        what,
        () => counters.every(({ acknowledged }, index) => acknowledged() > (from[index] ?? 0) + 20),
        PATIENCE_MS,
      );
    };
    await leadersAre(led, 2);
    await moveOn("appends at both brokers");
    await second.kill();
    await leadersAre([1, 1, 1, 1, 1, 1], 1);
    await moveOn("appends without the second broker");
    second = await second.restart();
    await leadersAre(led, 2);
    await moveOn("appends at both brokers again");
    const last = new Map<string, number>();
    for (const { key, stop } of counters) last.set(key, await stop());
    await Promise.all([writer.readToEnd(signal), reader.readToEnd(signal)]);
    for (const [key, count] of last) {
      assertComplete(writer, key, count);
      assertComplete(reader, key, count);
    }
  });
});

async function openAdmin(bootstrap: string): Promise<Admin> {
  const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  return admin;
}

/** Starts a second broker of the same cluster, under the first one's controller. */
async function joinBroker(first: LocalKafka, properties: Readonly<Record<string, string>>): Promise<LocalKafka> {
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
      ...properties,
      "process.roles": "broker",
      "node.id": "2",
      "controller.quorum.voters": read("server.properties", "controller.quorum.voters"),
      listeners: `PLAINTEXT://127.0.0.1:${port}`,
    },
  });
}
