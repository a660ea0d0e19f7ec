import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openTransactionalProducer } from "#runtime/kafka/native-producer.ts";
import type { TransactionalProducer } from "#runtime/kafka/record-producer.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { copyRecords, createTopic, nextEvent, openConsumer, record, textOf } from "./clients.ts";

describe("transactions of the native producer", { timeout: 280_000 }, () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  const signal = AbortSignal.timeout(280_000);
  const open: TransactionalProducer[] = [];
  before(async () => {
    kafka = await sharedKafka();
  });
  after(async () => {
    await Promise.all(open.map((producer) => producer.close()));
    await kafka.stop();
  });

  async function openProducer(transactionalId: string, config: Readonly<Record<string, string>> = {}) {
    const producer = openTransactionalProducer({
      config: { "bootstrap.servers": kafka.bootstrap, "transactional.id": transactionalId, ...config },
      reportPositions: true,
      stopOnFailure: true,
    });
    open.push(producer);
    await producer.initTransactions(signal);
    return producer;
  }

  /** What committed reads give, once the last expected record is among it. */
  async function readCommitted(topic: string, last: string): Promise<readonly (string | null)[]> {
    const config = { "group.id": uniqueName("committed"), "isolation.level": "read_committed" };
    const consumer = openConsumer(kafka.bootstrap, topic, { config });
    const seen: (string | null)[] = [];
    while (!seen.includes(last)) {
      const event = await nextEvent(consumer, signal);
      if (event.kind === "batch") seen.push(...textOf(copyRecords(event.batch)));
      else if (event.kind !== "idle") consumer.acknowledge();
    }
    await consumer.close(signal);
    return seen;
  }

  async function transaction(producer: TransactionalProducer, topic: string, values: readonly string[]) {
    await producer.begin(signal);
    await producer.send(
      values.map((value) => record(topic, value)),
      signal,
    );
  }

  it("shows what is committed, and nothing of what is aborted", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = await openProducer(uniqueName("txn"));
    await transaction(producer, topic, ["a", "b"]);
    await producer.commit(signal);
    await transaction(producer, topic, ["dropped"]);
    await producer.flush(signal); // It is in Kafka, and goes again.
    await producer.abort(signal);
    await transaction(producer, topic, ["c"]);
    await producer.commit(signal);
    assert.deepEqual(await readCommitted(topic, "c"), ["a", "b", "c"]);
    const [first] = producer.takeSettled();
    assert.deepEqual(Array.from(first?.positions?.offsets ?? [], Number), [0, 1]);
  });

  it("drops what was never sent when it aborts, and goes on", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = await openProducer(uniqueName("txn"), { "linger.ms": "30000" });
    await transaction(producer, topic, ["lingers"]);
    await producer.abort(signal);
    await eventually("the report", () => producer.outstanding() === 0);
    const [batch] = producer.takeSettled();
    assert.deepEqual(
      batch?.failures.map(({ code }) => code),
      ["_PURGE_QUEUE"],
    );
    await transaction(producer, topic, ["after"]);
    await producer.commit(signal);
    assert.deepEqual(await readCommitted(topic, "after"), ["after"]);
  });

  it("fences the former owner of a transactional id, and takes back what it had open", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const id = uniqueName("txn");
    const zombie = await openProducer(id);
    await transaction(zombie, topic, ["by the zombie"]);
    await zombie.flush(signal);
    const successor = await openProducer(id);
    await transaction(successor, topic, ["by its successor"]);
    await successor.commit(signal);
    await assert.rejects(zombie.commit(signal), { code: "fenced" });
    assert.deepEqual(await readCommitted(topic, "by its successor"), ["by its successor"]);
  });

  it("tells a fenced producer that goes on sending that it is fenced, and each record why it was dropped", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const id = uniqueName("txn");
    const zombie = await openProducer(id);
    await transaction(zombie, topic, ["by the zombie"]);
    await zombie.flush(signal);
    zombie.takeSettled();
    await openProducer(id);
    const dropped: string[] = [];
    const goOn = async () => {
      for (;;) {
        // As fast as it can, so that it hears of its end from librdkafka, too, which refuses the next record.
        const late = Array.from({ length: 100 }, (_, index) => record(topic, `late ${index}`));
        await zombie.send(late, signal);
        for (const { failures } of zombie.takeSettled()) dropped.push(...failures.map(({ message }) => message));
      }
    };
    await assert.rejects(goOn, { code: "fenced" });
    await eventually("the reports", () => zombie.outstanding() === 0);
    for (const { failures } of zombie.takeSettled()) dropped.push(...failures.map(({ message }) => message));
    assert.ok(dropped.length > 0);
    assert.deepEqual(
      dropped.filter((message) => /Local: Fatal error/.test(message)),
      [],
    );
  });

  it("commits nothing of a transaction with a refused record", async () => {
    const topic = await createTopic(kafka.bootstrap, { config: { "max.message.bytes": "10000" } });
    const producer = await openProducer(uniqueName("txn"));
    await transaction(producer, topic, ["fine", "x".repeat(50_000)]);
    await assert.rejects(producer.commit(signal), /MSG_SIZE_TOO_LARGE/);
    await producer.abort(signal);
    const next = await openProducer(uniqueName("txn"));
    await transaction(next, topic, ["later"]);
    await next.commit(signal);
    assert.deepEqual(await readCommitted(topic, "later"), ["later"]);
  });

  it("closes at once in the midst of a transaction", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = await openProducer(uniqueName("txn"));
    await transaction(producer, topic, ["open"]);
    const commit = producer.commit(signal).catch(() => {}); // Either end is right.
    await producer.close();
    await commit;
    await assert.rejects(producer.begin(signal), /closed/);
  });
});
