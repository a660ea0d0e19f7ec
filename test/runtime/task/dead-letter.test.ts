import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DataError } from "@headrace/sdk";
import { createDeadLetters } from "#runtime/task/dead-letter.ts";
import { rawRecordOf } from "#runtime/task/raw-record.ts";
import { inboundBatch } from "#support/fake-record-consumer.ts";
import { createFakeProducer } from "#support/fake-record-producer.ts";

const signal = AbortSignal.timeout(5_000);
const failed = { stage: "VALUE_CONVERTER", plugin: "org.x.Y", error: new DataError("bad bytes") } as const;
const raw = Buffer.from([0xff, 0]);
const hide = (text: string) => text.replaceAll("s3cret", `\${file:f:password}`);
const batch = inboundBatch([
  {
    topic: "in",
    partition: 4,
    offset: 9n,
    key: null,
    value: raw,
    timestamp: 77,
    headers: [{ key: "own", value: null }],
  },
]);

describe("dead letters", () => {
  it("send the raw record, with the context of its failure if wanted", async () => {
    const producer = createFakeProducer();
    producer.autoSettle = true;
    const letters = createDeadLetters({ topic: "dlq", connector: "c", task: 1, contextHeaders: true, producer, hide });
    await letters.add(rawRecordOf(batch, 0), failed, signal);
    await letters.flush(signal);
    const [record] = producer.batches[0] ?? [];
    assert.deepEqual(
      [record?.topic, record?.partition, record?.key, record?.value, record?.timestamp],
      ["dlq", null, null, raw, 77],
    );
    const headers = Object.fromEntries(record?.headers?.map((header) => [header.key, header.value]) ?? []);
    const { "__connect.errors.exception.stacktrace": trace, ...rest } = headers;
    assert.match(String(trace), /DataError: bad bytes\n\s+at /);
    assert.deepEqual(rest, {
      own: null,
      "__connect.errors.topic": "in",
      "__connect.errors.partition": "4",
      "__connect.errors.offset": "9",
      "__connect.errors.connector.name": "c",
      "__connect.errors.task.id": "1",
      "__connect.errors.stage": "VALUE_CONVERTER",
      "__connect.errors.class.name": "org.x.Y",
      "__connect.errors.exception.class.name": "org.apache.kafka.connect.errors.DataException",
      "__connect.errors.exception.message": "bad bytes",
    });
  });

  it("show nothing that config providers have given", async () => {
    const producer = createFakeProducer();
    const letters = createDeadLetters({ topic: "dlq", connector: "c", task: 1, contextHeaders: true, producer, hide });
    const error = new DataError("no login with s3cret", { cause: new Error("s3cret was refused") });
    await letters.add(rawRecordOf(batch, 0), { ...failed, error }, signal);
    const headers = Object.fromEntries(producer.batches[0]?.[0]?.headers?.map(({ key, value }) => [key, value]) ?? []);
    assert.equal(headers["__connect.errors.exception.message"], `no login with \${file:f:password}`);
    assert.match(
      String(headers["__connect.errors.exception.stacktrace"]),
      /no login with \$\{file:f:password\}[\s\S]*\$\{file:f:password\} was refused/,
    );
    assert.doesNotMatch(JSON.stringify(Object.values(headers).map(String)), /s3cret/);
  });

  it("keep a copy: the batch is a view that is reused", async () => {
    const producer = createFakeProducer();
    const letters = createDeadLetters({ topic: "dlq", connector: "c", task: 1, contextHeaders: false, producer, hide });
    const view = inboundBatch([{ offset: 0n, value: "abc" }]);
    await letters.add(rawRecordOf(view, 0), failed, signal);
    view.data.fill(0);
    assert.equal(String(producer.batches[0]?.[0]?.value), "abc");
  });

  it("do not count as safe when Kafka refuses one, nor before it has answered", async () => {
    const producer = createFakeProducer();
    const letters = createDeadLetters({ topic: "dlq", connector: "c", task: 1, contextHeaders: false, producer, hide });
    await letters.add(rawRecordOf(batch, 0), failed, signal);
    await assert.rejects(letters.flush(AbortSignal.timeout(20)), { name: "TimeoutError" });
    producer.settle(1, [{ index: 0, code: "TOPIC_AUTHORIZATION_FAILED", message: "no" }]);
    await assert.rejects(
      letters.flush(signal),
      /refused a record for the dead letter queue dlq: TOPIC_AUTHORIZATION_FAILED: no/,
    );
    assert.deepEqual(letters.metrics(), { requests: 1, failures: 1 });
  });

  it("tell when each is stored, in any order, and whether it was refused", async () => {
    const producer = createFakeProducer();
    const letters = createDeadLetters({ topic: "dlq", connector: "c", task: 1, contextHeaders: false, producer, hide });
    const record = rawRecordOf(batch, 0);
    const stored: string[] = [];
    const first = letters.store(record, failed, signal).then(() => stored.push("first"));
    const second = letters.store(record, failed, signal).then(() => stored.push("second"));
    const third = letters.store(record, failed, signal);
    await producer.sent(3);
    producer.settle(2);
    await second;
    assert.deepEqual(stored, ["second"]);
    producer.settle(3, [{ index: 0, code: "MSG_SIZE_TOO_LARGE", message: "too large" }]);
    await assert.rejects(third, /MSG_SIZE_TOO_LARGE/);
    producer.settle(1);
    await first;
    assert.deepEqual(letters.metrics(), { requests: 3, failures: 1 });
  });

  it("are stored also when a flush took Kafka's answer", async () => {
    const producer = createFakeProducer();
    const letters = createDeadLetters({ topic: "dlq", connector: "c", task: 1, contextHeaders: false, producer, hide });
    const storing = letters.store(rawRecordOf(batch, 0), failed, signal);
    await producer.sent(1);
    const flushing = letters.flush(signal);
    producer.settle(1);
    await flushing;
    await storing;
    const again = letters.store(rawRecordOf(batch, 0), failed, signal);
    await producer.sent(2);
    producer.settle(2);
    await again;
    await letters.close();
  });
});
