import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { sharedKafka } from "#support/kafka.ts";
import { createTopic, endOffset, openProducer, readTopic, record, settledBatches, textOf } from "./clients.ts";

describe("a full queue", { timeout: 280_000 }, () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  const signal = AbortSignal.timeout(280_000);
  before(async () => {
    kafka = await sharedKafka();
  });
  after(() => kafka.stop());

  it("lets send wait for room, and loses and reorders nothing", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = openProducer(kafka.bootstrap, { config: { "queue.buffering.max.messages": "100" } });
    const values = Array.from({ length: 5000 }, (_, i) => `${i}`);
    await producer.send(
      values.map((value) => record(topic, value)),
      signal,
    );
    assert.ok(producer.outstanding() <= 100);
    await producer.flush(signal);
    assert.deepEqual(
      producer.takeSettled().map(({ batch, failures }) => [batch, failures.length]),
      [[1, 0]],
    );
    await producer.close();
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), values);
  });

  it("is bounded in bytes, too", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = openProducer(kafka.bootstrap, { config: { "queue.buffering.max.kbytes": "1024" } });
    const value = Buffer.alloc(100_000, 1);
    for (let i = 0; i < 50; i++) {
      await producer.send([record(topic, value)], signal);
      assert.ok(producer.outstanding() <= 10);
    }
    await producer.flush(signal);
    await producer.close();
    assert.equal(await endOffset(kafka.bootstrap, topic), 50);
  });

  it("refuses a record that is larger than the whole queue, and takes the next", async () => {
    const topic = await createTopic(kafka.bootstrap, { config: { "max.message.bytes": "10000000" } });
    const config = { "queue.buffering.max.kbytes": "1024", "message.max.bytes": "10000000" };
    const producer = openProducer(kafka.bootstrap, { config });
    await producer.send([record(topic, "a"), record(topic, Buffer.alloc(2_000_000)), record(topic, "b")], signal);
    const [batch] = await settledBatches(producer, 1, signal);
    assert.deepEqual(
      batch?.failures.map(({ index, code }) => [index, code]),
      [[1, "MSG_SIZE_TOO_LARGE"]],
    );
    await producer.close();
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), ["a", "b"]);
  });

  it("lets a waiting send be aborted; what was queued settles, the rest counts as failed", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const config = { "queue.buffering.max.messages": "10", "linger.ms": "60000" };
    const producer = openProducer(kafka.bootstrap, { config });
    const abort = new AbortController();
    const records = Array.from({ length: 25 }, (_, i) => record(topic, `${i}`));
    const sending = producer.send(records, abort.signal);
    abort.abort(new Error("enough"));
    await assert.rejects(sending, /enough/);
    assert.equal(producer.outstanding(), 10);
    await producer.flush(signal);
    const [batch] = producer.takeSettled();
    assert.deepEqual([batch?.batch, batch?.failures.length], [1, 15]);
    assert.deepEqual(
      batch?.failures.map(({ index, code }) => [index, code]),
      Array.from({ length: 15 }, (_, i) => [i + 10, "_PURGE_QUEUE"]),
    );
    assert.equal(await producer.send([record(topic, "next")], signal), 2);
    await producer.flush(signal);
    await producer.close();
    const read = textOf(await readTopic(kafka.bootstrap, topic, signal));
    assert.deepEqual(read, [...records.slice(0, 10).map(({ value }) => value), "next"]);
  });

  it("does not send, wait or flush with a signal that is already aborted", async () => {
    const producer = openProducer(kafka.bootstrap);
    const aborted = AbortSignal.abort(new Error("before"));
    await assert.rejects(producer.send([record("t", "a")], aborted), /before/);
    await assert.rejects(producer.settled(aborted), /before/);
    await assert.rejects(producer.flush(aborted), /before/);
    assert.equal(await producer.send([], signal), 1);
    assert.equal((await settledBatches(producer, 1, signal))[0]?.batch, 1);
    await producer.close();
  });
});
