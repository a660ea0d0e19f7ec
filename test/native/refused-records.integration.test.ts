import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { NOT_THE_RECORD } from "#runtime/kafka/delivery-codes.ts";
import type { RecordProducer, SettledBatch } from "#runtime/kafka/record-producer.ts";
import { createSplittingProducer, SMALL_BATCH_BYTES } from "#runtime/kafka/splitting-producer.ts";
import { sharedKafka } from "#support/kafka.ts";
import { createTopic, openProducer, readTopic, record, settledBatches, textOf } from "./clients.ts";

const MAX = 100_000;
/** Larger than the topic takes, smaller than the client refuses: the broker says no. */
const OVERSIZED = "x".repeat(2 * MAX);

describe("records that Kafka refuses", { timeout: 280_000 }, () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  const signal = AbortSignal.timeout(280_000);
  before(async () => {
    kafka = await sharedKafka();
  });
  const open = new Set<RecordProducer>();
  after(async () => {
    for (const producer of open) await producer.close();
    await kafka.stop();
  });

  const smallTopic = (partitions = 1) =>
    createTopic(kafka.bootstrap, { partitions, config: { "max.message.bytes": String(MAX) } });
  // Batches no larger than the topic takes, so that an oversized record travels alone and takes no other with it.
  const config = { "batch.size": String(MAX / 2), "linger.ms": "5" };
  const failed = (batches: readonly SettledBatch[]) =>
    batches.flatMap(({ batch, failures }) => failures.map(({ index, code }) => `${batch}/${index} ${code}`));

  it("reports the last record of a batch, and delivers the others", async () => {
    const topic = await smallTopic();
    const producer = openProducer(kafka.bootstrap, { config, reportPositions: true });
    const values = [...Array.from({ length: 99 }, (_, i) => `${i}`), OVERSIZED];
    await producer.send(
      values.map((value) => record(topic, value)),
      signal,
    );
    const [batch] = await settledBatches(producer, 1, signal);
    assert.deepEqual(
      batch?.failures.map(({ index, code }) => [index, code]),
      [[99, "MSG_SIZE_TOO_LARGE"]],
    );
    assert.match(batch?.failures[0]?.message ?? "", /too large|larger/i);
    assert.deepEqual(Array.from(batch?.positions?.offsets ?? [], Number), [
      ...Array.from({ length: 99 }, (_, i) => i),
      -1,
    ]);
    await producer.close();
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), values.slice(0, 99));
  });

  it("goes on behind a refused record, in order, without stopOnFailure", async () => {
    const topic = await smallTopic();
    const producer = openProducer(kafka.bootstrap, { config });
    const expected: string[] = [];
    for (let batch = 0; batch < 20; batch++) {
      const records = Array.from({ length: 100 }, (_, i) => {
        if (batch % 5 === 2 && i === 50) return record(topic, OVERSIZED);
        expected.push(`${batch}/${i}`);
        return record(topic, `${batch}/${i}`);
      });
      await producer.send(records, signal);
    }
    const batches = await settledBatches(producer, 20, signal);
    assert.deepEqual(
      failed(batches),
      [3, 8, 13, 18].map((batch) => `${batch}/50 MSG_SIZE_TOO_LARGE`),
    );
    await producer.close();
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), expected);
  });

  it("delivers nothing behind a refused record with stopOnFailure", async () => {
    const topic = await smallTopic();
    const producer = openProducer(kafka.bootstrap, { config, stopOnFailure: true });
    const sends: Promise<number>[] = [];
    let sent = 0;
    try {
      for (let batch = 0; batch < 50; batch++) {
        const records = Array.from({ length: 100 }, (_, i) =>
          record(topic, batch === 10 && i === 50 ? OVERSIZED : `${batch}/${i}`),
        );
        await producer.send(records, signal);
        sent++;
      }
    } catch (error) {
      assert.match(String(error), /stopped at a refused record: MSG_SIZE_TOO_LARGE/);
    }
    assert.ok(sent >= 10);
    await Promise.allSettled(sends);
    await producer.flush(signal);
    const batches = producer.takeSettled();
    const failures = failed(batches);
    assert.equal(failures[0], "11/50 MSG_SIZE_TOO_LARGE");
    // What met the fatal end of the client before the producer knew of it is told by that; neither says anything of the record.
    const others = new Set(failures.slice(1).map((line) => line.split(" ")[1] ?? ""));
    assert.deepEqual(
      [...others].filter((code) => !NOT_THE_RECORD.has(code)),
      [],
    );
    assert.ok(others.has("_PURGE_QUEUE"));
    await assert.rejects(producer.send([record(topic, "late")], signal), /refused record/);
    await assert.rejects(producer.settled(signal), /refused record/);
    await producer.close();

    const read = textOf(await readTopic(kafka.bootstrap, topic, signal));
    const acknowledged = 100 * batches.length - failures.length;
    assert.equal(read.length, acknowledged);
    const expected = Array.from({ length: 1050 }, (_, i) => `${Math.floor(i / 100)}/${i % 100}`);
    assert.deepEqual(read, expected);
  });

  it("stops at a record that the client itself refuses, after the ones before it", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = openProducer(kafka.bootstrap, { config: { "message.max.bytes": "10000" }, stopOnFailure: true });
    const values = ["a", "b", "x".repeat(20_000), "c", "d"];
    await assert.rejects(
      producer.send(
        values.map((value) => record(topic, value)),
        signal,
      ),
      /MSG_SIZE_TOO_LARGE/,
    );
    const batches = await settledBatches(producer, 1, signal);
    assert.deepEqual(failed(batches), ["1/2 MSG_SIZE_TOO_LARGE", "1/3 _PURGE_QUEUE", "1/4 _PURGE_QUEUE"]);
    await producer.close();
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), ["a", "b"]);
  });

  it("skips records that the client itself refuses without stopOnFailure", async () => {
    const topic = await createTopic(kafka.bootstrap, { partitions: 2 });
    const producer = openProducer(kafka.bootstrap, { config: { "message.max.bytes": "10000" } });
    await producer.send([record(topic, "first", { partition: 0 })], signal); // From here on the partitions are known.
    await producer.flush(signal);
    const records = [
      record(topic, "a", { partition: 0 }),
      record(topic, "x".repeat(20_000)),
      record(topic, "b", { partition: 0 }),
      record(topic, "c", { partition: 7 }),
      record(topic, "d", { partition: 0, headers: [{ key: "h", value: "v" }] }),
    ];
    await producer.send(records, signal);
    await producer.flush(signal);
    assert.deepEqual(failed(producer.takeSettled()), ["2/1 MSG_SIZE_TOO_LARGE", "2/3 _UNKNOWN_PARTITION"]);
    await producer.close();
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), ["first", "a", "b", "d"]);
  });

  it("reports a topic that does not exist", async () => {
    const producer = openProducer(kafka.bootstrap, { config: { "topic.metadata.propagation.max.ms": "1000" } });
    await producer.send([record("no such topic!", "a")], signal);
    const batches = await settledBatches(producer, 1, signal);
    assert.equal(batches[0]?.failures.length, 1);
    await producer.close();
  });

  it("settles what is outstanding as failed when it is closed", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = openProducer(kafka.bootstrap, { config: { "linger.ms": "60000" } });
    await producer.send([record(topic, "a"), record(topic, "b")], signal);
    assert.equal(producer.outstanding(), 2);
    await Promise.all([producer.close(), producer.close()]);
    assert.deepEqual(failed(producer.takeSettled()), ["1/0 _PURGE_QUEUE", "1/1 _PURGE_QUEUE"]);
    assert.equal(producer.outstanding(), 0);
    await assert.rejects(producer.send([record(topic, "c")], signal), /closed/);
    await assert.rejects(producer.settled(signal), /closed/);
    await producer.flush(signal);
    assert.deepEqual(await readTopic(kafka.bootstrap, topic, signal), []);
  });

  /** As source tasks have it; batches may be larger than the topic takes. */
  const openSplitting = (stopOnFailure: boolean) => {
    const producer = createSplittingProducer({
      open: (batching, more) => {
        const limits = {
          configured: {},
          small: { "batch.size": String(SMALL_BATCH_BYTES) },
          single: { "batch.num.messages": "1" },
        };
        return openProducer(kafka.bootstrap, { config: { "linger.ms": "20", ...limits[batching] }, ...more });
      },
      reportPositions: true,
      stopOnFailure,
      maxRecordBytes: 1_000_000,
    });
    open.add(producer);
    return producer;
  };

  it("lets no innocent record suffer for a refused one, in order (tolerance all)", async () => {
    const topic = await smallTopic(2);
    const producer = openSplitting(false);
    const expected: string[] = [];
    for (let batch = 1; batch <= 12; batch++) {
      const records = Array.from({ length: 400 }, (_, i) => {
        const more = { partition: i % 2 };
        if (batch % 4 === 0 && i === 200) return record(topic, OVERSIZED, more);
        if (batch === 6 && i === 399) return record(topic, "nowhere", { partition: 9 });
        const text = `${batch}/${i} ${"y".repeat(500)}`;
        expected.push(text);
        return record(topic, text, more);
      });
      await producer.send(records, signal);
    }
    const batches: SettledBatch[] = [];
    while (batches.length < 12) {
      await producer.settled(signal);
      batches.push(...producer.takeSettled());
    }
    assert.deepEqual(
      failed(batches).toSorted(),
      ["12/200 MSG_SIZE", "4/200 MSG_SIZE", "6/399 _UNKNOWN_PARTITION", "8/200 MSG_SIZE"].map((line) =>
        line.replace(/MSG_SIZE$/, "MSG_SIZE_TOO_LARGE"),
      ),
    );
    assert.equal(producer.outstanding(), 0);
    await producer.close();
    const read = await readTopic(kafka.bootstrap, topic, signal);
    for (const partition of [0, 1]) {
      const own = textOf(read.filter((each) => each.partition === partition));
      assert.deepEqual(
        own,
        expected.filter((text) => (Number(text.split(" ")[0]?.split("/")[1]) ?? 0) % 2 === partition),
      );
    }
    const places = batches.flatMap(({ positions }) => Array.from(positions?.offsets ?? [], Number));
    assert.equal(places.filter((offset) => offset < 0).length, 4);
  });

  it("lets no record suffer for an invalid one of its batch (tolerance all)", async () => {
    const topic = await createTopic(kafka.bootstrap, { config: { "cleanup.policy": "compact" } });
    const producer = openSplitting(false);
    const values = Array.from({ length: 200 }, (_, i) => `${i}`);
    // Such a topic takes no record without a key.
    await producer.send(
      values.map((value, i) => record(topic, value, { key: i === 50 || i === 51 ? null : value })),
      signal,
    );
    await producer.flush(signal);
    assert.deepEqual(failed(producer.takeSettled()), ["1/50 INVALID_RECORD", "1/51 INVALID_RECORD"]);
    await producer.close();
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), values.toSpliced(50, 2));
  });

  it("takes batches that only together are too large for the topic (tolerance none)", async () => {
    const topic = await smallTopic();
    const producer = openSplitting(true);
    const values = Array.from({ length: 2_000 }, (_, i) => `${i} ${"z".repeat(500)}`);
    for (let from = 0; from < values.length; from += 500) {
      const records = values.slice(from, from + 500).map((value) => record(topic, value));
      await producer.send(records, signal);
    }
    await producer.flush(signal);
    assert.deepEqual(failed(producer.takeSettled()), []);
    await producer.close();
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), values);
  });

  it("lets nothing pass a guilty record (tolerance none)", async () => {
    const topic = await smallTopic();
    const producer = openSplitting(true);
    const values = Array.from({ length: 300 }, (_, i) => (i === 250 ? OVERSIZED : `${i} ${"z".repeat(500)}`));
    const sends = [values.slice(0, 200), values.slice(200)];
    let refused: unknown = null;
    try {
      for (const part of sends) {
        await producer.send(
          part.map((value) => record(topic, value)),
          signal,
        );
      }
      await producer.flush(signal);
      await producer.send([record(topic, "late")], signal);
    } catch (error) {
      refused = error;
    }
    assert.match(String(refused), /refused record/);
    await producer.flush(signal);
    const failures = failed(producer.takeSettled());
    assert.equal(failures[0], "2/50 MSG_SIZE_TOO_LARGE");
    assert.deepEqual([...new Set(failures.slice(1).map((line) => line.split(" ")[1]))], ["_PURGE_QUEUE"]);
    await producer.close();
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), values.slice(0, 250));
  });
});
