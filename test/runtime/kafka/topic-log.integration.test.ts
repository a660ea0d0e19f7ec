import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import kafkajs from "kafkajs";
import { kafkaTool } from "#dev/kafka.ts";
import { createTopicAdmin } from "#runtime/kafka/topic-admin.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { kafkaSettings, openLog, record, type TestLogOptions } from "#support/topic-logs.ts";

const signal = AbortSignal.timeout(280_000);
let bootstrap: string;
let stop: () => Promise<void>;

before(async () => {
  ({ bootstrap, stop } = await sharedKafka());
});
after(() => stop());

async function using(
  options: Omit<TestLogOptions, "bootstrap">,
  body: (log: Awaited<ReturnType<typeof openLog>>) => Promise<void>,
) {
  const log = await openLog({ bootstrap, ...options });
  try {
    await body(log);
  } finally {
    await log.stop();
  }
}

async function withAdmin<T>(body: (admin: ReturnType<typeof createTopicAdmin>) => Promise<T>): Promise<T> {
  const admin = createTopicAdmin(kafkaSettings(bootstrap), createSilentLog());
  try {
    return await body(admin);
  } finally {
    admin.close();
  }
}

describe("the topic of a log", () => {
  it("is created as wanted, compacted, with its own settings", async () => {
    const topic = uniqueName("created");
    await using({ topic, partitions: 3, configs: { "segment.bytes": "1048577" } }, async () => {});
    await withAdmin(async (admin) => {
      assert.equal(await admin.partitions(topic, signal), 3);
      assert.equal(await admin.topicConfig(topic, "cleanup.policy", signal), "compact");
      assert.equal(await admin.topicConfig(topic, "segment.bytes", signal), "1048577");
    });
  });

  it("is created with the broker's defaults if -1 is wanted", async () => {
    const topic = uniqueName("defaults");
    await using({ topic, partitions: -1, replicationFactor: -1 }, async (log) => {
      await log.append([record("k", "v")], null, signal);
    });
    assert.equal(await withAdmin((admin) => admin.partitions(topic, signal)), 1);
  });

  it("is created once if two workers start at the same time", async () => {
    const topic = uniqueName("race");
    const logs = await Promise.all([1, 2, 3].map(() => openLog({ bootstrap, topic, partitions: 5 })));
    await Promise.all(logs.map((log) => log.stop()));
    assert.equal(await withAdmin((admin) => admin.partitions(topic, signal)), 5);
  });

  for (const policy of ["delete", "compact,delete"]) {
    it(`is refused if its cleanup policy is ${policy}, naming topic, property and policy`, async () => {
      const topic = uniqueName("policy");
      const configs = { "cleanup.policy": policy };
      await withAdmin((admin) => admin.createTopic({ topic, partitions: 1, replicationFactor: 1, configs }, signal));
      await assert.rejects(openLog({ bootstrap, topic }), (error: Error & { code?: string }) => {
        assert.equal(error.code, "config-invalid");
        for (const part of [topic, "'offset.storage.topic'", "cleanup.policy=compact", `'cleanup.policy=${policy}'`]) {
          assert.ok(error.message.includes(part), `${error.message} lacks ${part}`);
        }
        return true;
      });
    });
  }

  it("is refused if it must have one partition and has more", async () => {
    const topic = uniqueName("partitions");
    const wanted = { topic, partitions: 2, replicationFactor: 1, configs: { "cleanup.policy": "compact" } };
    await withAdmin((admin) => admin.createTopic(wanted, signal));
    await assert.rejects(openLog({ bootstrap, topic, singlePartition: true }), {
      code: "config-invalid",
      message: new RegExp(`'${topic}'.*single partition.*found 2 partitions`),
    });
  });

  it("says why Kafka does not create it", async () => {
    const topic = uniqueName("replicas");
    await assert.rejects(openLog({ bootstrap, topic, replicationFactor: 3 }), {
      code: "kafka",
      message: /replication factor/i,
    });
  });
});

describe("topic log", () => {
  it("delivers its own records right after the acknowledgement, and others theirs", async () => {
    const topic = uniqueName("tail");
    await using({ topic, partitions: 5 }, async (one) => {
      await using({ topic, partitions: 5 }, async (two) => {
        await one.append([record("warm", "up")], null, signal);
        const tookMs: number[] = [];
        for (let i = 0; i < 20; i++) {
          const started = performance.now();
          await one.append([record(`k${i}`, "v")], null, signal);
          await one.readToEnd(signal);
          assert.equal(one.records.length, i + 2);
          tookMs.push(performance.now() - started);
        }
        // Of all twenty the quickest half: a machine that stands still for a moment holds up one or two.
        const medianMs = tookMs.toSorted((a, b) => a - b)[10] ?? Number.NaN;
        assert.ok(medianMs < 100, `${medianMs} ms for a record to be written and seen`);
        await two.readToEnd(signal);
        assert.deepEqual(new Set(two.texts()), new Set(one.texts()));
      });
    });
  });

  it("keeps the order of appends, thousands at a time", async () => {
    const topic = uniqueName("order");
    await using({ topic, partitions: 3 }, async (log) => {
      const appends = Array.from({ length: 3000 }, (_, i) => log.append([record(`k${i % 7}`, `${i}`)], null, signal));
      await Promise.all(appends);
      await log.readToEnd(signal);
      assert.equal(log.records.length, 3000);
      const last = new Map<string, number>();
      for (const { key, value } of log.records) {
        const number = Number(value);
        assert.ok(number > (last.get(`${key}`) ?? -1), `${number} of ${key} came late`);
        last.set(`${key}`, number);
      }
    });
  });

  it("reads all that is there at start, tombstones and large records included", async () => {
    const topic = uniqueName("start");
    const large = "x".repeat(900_000);
    await using({ topic }, async (log) => {
      await Promise.all([
        log.append([record("a", "1"), record("b", "2")], null, signal),
        log.append([record("big", large)], null, signal),
        log.append([record("big2", large)], null, signal),
        log.append([record("a")], null, signal),
      ]);
    });
    await using({ topic }, async (log) => {
      assert.deepEqual(log.texts(), ["a=1", "b=2", `big=${large}`, `big2=${large}`, "a="]);
      assert.deepEqual(
        log.records.map(({ offset }) => offset),
        [0n, 1n, 2n, 3n, 4n],
      );
    });
  });

  it("rejects a record that Kafka refuses, and only that one", async () => {
    const topic = uniqueName("refused");
    await using({ topic, configs: { "max.message.bytes": "2000" } }, async (log) => {
      const results = await Promise.allSettled([
        log.append([record("a", "1")], null, signal),
        log.append([record("b", "x".repeat(5000))], null, signal),
        log.append([record("c", "3")], null, signal),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled"],
      );
      await log.readToEnd(signal);
      assert.deepEqual(log.texts(), ["a=1", "c=3"]);
    });
  });

  it("writes nothing that is withdrawn before it is sent", async () => {
    const topic = uniqueName("withdrawn");
    await using({ topic }, async (log) => {
      const no = () => Promise.reject(new Error("not any more"));
      const results = await Promise.allSettled([
        log.append([record("a", "1")], null, signal),
        log.append([record("b", "2")], no, signal),
        log.append([record("c", "3")], null, AbortSignal.abort(new Error("late"))),
        log.append([record("d", "4")], null, signal),
      ]);
      assert.deepEqual(
        results.map((result) => (result.status === "rejected" ? result.reason.message : "written")),
        ["written", "not any more", "late", "written"],
      );
      await log.readToEnd(signal);
      assert.deepEqual(log.texts(), ["a=1", "d=4"]);
    });
  });

  for (const codec of ["gzip", "snappy", "lz4", "zstd"]) {
    it(`reads what the broker has compressed with ${codec}`, async () => {
      const topic = uniqueName(codec);
      await using({ topic, configs: { "compression.type": codec } }, async (log) => {
        const text = `${codec} `.repeat(500);
        await log.append([record("a", text), record("b", text)], null, signal);
        await log.readToEnd(signal);
        assert.deepEqual(log.texts(), [`a=${text}`, `b=${text}`]);
      });
    });
  }

  it("puts records where Java's clients look for them", async () => {
    const topic = uniqueName("java");
    await using({ topic, partitions: 7 }, async (log) => {
      const keys = Array.from({ length: 50 }, (_, i) => `key-${i}-ö`);
      await log.append(
        keys.map((key) => record(key, key)),
        null,
        signal,
      );
      const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
      const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
      await producer.connect();
      await producer.send({ topic, messages: keys.map((key) => ({ key, value: key })) });
      await producer.disconnect();
      await log.readToEnd(signal);
      const partitions = Map.groupBy(log.records, ({ key }) => `${key}`);
      for (const [key, found] of partitions) assert.equal(found[0]?.partition, found[1]?.partition, key);
      assert.equal(partitions.size, 50);
    });
  });

  it("stops at once, also with a fetch waiting", async () => {
    const tookMs: number[] = [];
    for (let times = 0; times < 5; times += 1) {
      const log = await openLog({ bootstrap, topic: uniqueName("stop") });
      const started = performance.now();
      await log.stop();
      tookMs.push(performance.now() - started);
      await assert.rejects(log.append([record("a", "1")], null, signal), /stopped/);
    }
    assert.ok(Math.min(...tookMs) < 500, `${tookMs} ms`);
  });
});

describe("transactions in a topic log", () => {
  type Outcome = "commit" | "abort" | "open";

  async function transactions(topic: string, ...outcomes: Outcome[]) {
    await transactionsOf(uniqueName("tx"), topic, ...outcomes);
  }

  async function transactionsOf(transactionalId: string, topic: string, ...outcomes: Outcome[]) {
    const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
    const producer = kafka.producer({
      transactionalId,
      maxInFlightRequests: 1,
      idempotent: true,
      transactionTimeout: 60_000,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (const [index, outcome] of outcomes.entries()) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ key: `${index}`, value: outcome }] });
      if (outcome === "commit") await transaction.commit();
      if (outcome === "abort") await transaction.abort();
    }
    await producer.disconnect();
  }

  it("leave out what was aborted, and pass over the markers at the end", async () => {
    const topic = uniqueName("markers");
    await using({ topic, readCommitted: true }, async (log) => {
      await transactions(topic, "commit", "abort", "abort", "commit", "abort");
      await log.readToEnd(signal);
      assert.deepEqual(log.texts(), ["0=commit", "3=commit"]);
      await log.append([record("plain", "x")], null, signal);
      await log.readToEnd(signal);
      assert.equal(log.texts().at(-1), "plain=x");
    });
    await using({ topic, readCommitted: true }, async (log) => {
      assert.deepEqual(log.texts(), ["0=commit", "3=commit", "plain=x"]);
    });
    await using({ topic }, async (log) => {
      assert.deepEqual(log.texts(), ["0=commit", "1=abort", "2=abort", "3=commit", "4=abort", "plain=x"]);
    });
  });

  it("hold up a committed read while one is open, and no longer", async () => {
    const topic = uniqueName("open");
    const zombie = uniqueName("tx");
    await using({ topic, readCommitted: true }, async (log) => {
      await log.append([record("before", "1")], null, signal);
      await transactionsOf(zombie, topic, "open");
      await log.append([record("behind", "2")], null, signal);
      await assert.rejects(log.readToEnd(AbortSignal.any([signal, AbortSignal.timeout(500)])));
      assert.deepEqual(log.texts(), ["before=1"]);
      // The next producer with that id ends what the one before has left open.
      await transactionsOf(zombie, topic, "commit");
      await log.readToEnd(signal);
      assert.deepEqual(log.texts(), ["before=1", "behind=2", "0=commit"]);
    });
  });

  it("are decoded as Java's own consumer does", async () => {
    const topic = uniqueName("peer");
    await using({ topic, readCommitted: true }, async (log) => {
      await transactions(topic, "commit", "abort", "commit");
      await log.readToEnd(signal);
      const count = String(log.records.length);
      const args = ["--bootstrap-server", bootstrap, "--topic", topic, "--from-beginning", "--timeout-ms", "60000"];
      const committed = ["--isolation-level", "read_committed", "--max-messages", count];
      const out = await kafkaTool("org.apache.kafka.tools.consumer.ConsoleConsumer", [...args, ...committed]);
      assert.deepEqual(
        log.records.map(({ value }) => `${value}`),
        out.trim().split("\n"),
      );
    });
  });
});

describe("topic admin", () => {
  it("knows the cluster, topics and their offsets", async () => {
    const topic = uniqueName("admin");
    await using({ topic, partitions: 2 }, async (log) => {
      await log.append([record("a", "1"), record("b", "2"), record("c", "3")], null, signal);
      await withAdmin(async (admin) => {
        assert.match(await admin.clusterId(signal), /^[\w-]{22}$/);
        assert.ok((await admin.topics(signal)).includes(topic));
        assert.equal(await admin.partitions(uniqueName("none"), signal), null);
        const ends = await admin.offsets(topic, "latest", signal);
        assert.equal(
          [...ends.values()].reduce((sum, offset) => sum + offset, 0n),
          3n,
        );
        assert.deepEqual([...(await admin.offsets(topic, "earliest", signal)).values()], [0n, 0n]);
        const again = { topic, partitions: 1, replicationFactor: 1, configs: {} };
        assert.equal(await admin.createTopic(again, signal), "exists");
      });
    });
  });

  it("knows a group's members and offsets, and takes a member out", async () => {
    const topic = uniqueName("group");
    const group = uniqueName("group");
    await using({ topic, partitions: 2 }, async (log) => {
      await log.append([record("a", "1"), record("b", "2"), record("c", "3")], null, signal);
      const kafka = new kafkajs.Kafka({
        brokers: [bootstrap],
        clientId: "member-7",
        logLevel: kafkajs.logLevel.NOTHING,
      });
      const consumer = kafka.consumer({ groupId: group });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      let seen = 0;
      const eachMessage = async () => {
        seen += 1;
      };
      await consumer.run({ eachMessage, autoCommitInterval: 1 });
      await eventually("all records consumed", () => seen === 3);
      await withAdmin(async (admin) => {
        const { members } = await eventually("a stable group", async () => {
          const found = await admin.describeGroup(group, signal);
          return found.state === "Stable" && found;
        });
        assert.deepEqual(
          members.map(({ clientId }) => clientId),
          ["member-7"],
        );
        await consumer.stop();
        const offsets = await admin.groupOffsets(group, signal);
        assert.equal(
          offsets.filter((entry) => entry.topic === topic).reduce((sum, { offset }) => sum + offset, 0n),
          3n,
        );
        await admin.removeGroupMember(group, members[0]?.memberId ?? "", signal);
        await admin.removeGroupMember(group, "nobody-there", signal);
        assert.deepEqual((await admin.describeGroup(group, signal)).members, []);
      });
      await consumer.disconnect();
    });
  });

  it("says what it could not do, and why, when time runs out", async () => {
    const admin = createTopicAdmin(kafkaSettings("127.0.0.1:1"), createSilentLog());
    await assert.rejects(admin.partitions("t", AbortSignal.timeout(500)), {
      code: "timeout",
      message: /^Could not look up topic 't': .*ECONNREFUSED/,
    });
    admin.close();
  });
});
