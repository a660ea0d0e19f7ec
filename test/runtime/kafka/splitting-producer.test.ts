import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OutboundRecord } from "#runtime/kafka/record-producer.ts";
import { type Batching, createSplittingProducer } from "#runtime/kafka/splitting-producer.ts";
import { createFakeProducer, type FakeProducer } from "#support/fake-record-producer.ts";

const signal = AbortSignal.timeout(60_000);

const record = (value: string): OutboundRecord => ({
  topic: "t",
  partition: null,
  key: null,
  value,
  headers: null,
  timestamp: null,
});
const failure = (index: number, code: string) => ({ index, code, message: code });
const valuesOf = (producer: FakeProducer) => producer.batches.flat().map(({ value }) => value);

describe("a producer that splits batches", () => {
  for (const code of [
    "_GAPLESS_GUARANTEE",
    "_FATAL",
    "_PURGE_QUEUE",
    "_PURGE_INFLIGHT",
    "_INVALID_DIFFERENT_RECORD",
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
  ]) {
    it(`sends again what met the end of the client, or travelled with a guilty record (${code}), and refuses the guilty record alone`, async () => {
      const opened: { readonly batching: Batching; readonly producer: FakeProducer }[] = [];
      const producer = createSplittingProducer({
        open(batching, options) {
          const fake = createFakeProducer();
          fake.options = options;
          fake.autoSettle = opened.length > 0;
          opened.push({ batching, producer: fake });
          return fake;
        },
        reportPositions: false,
        stopOnFailure: false,
        maxRecordBytes: 1_000_000,
      });
      await producer.send([record("fine"), record("guilty"), record("behind")], signal);
      await producer.send([record("late"), record("later")], signal);
      const [first] = opened;
      assert.ok(first !== undefined);
      // The broker refuses the first batch for the sake of one record; the second one comes while the client ends.
      first.producer.settle(1, [
        failure(0, "_PURGE_QUEUE"),
        failure(1, "TOPIC_AUTHORIZATION_FAILED"),
        failure(2, code),
      ]);
      first.producer.settle(2, [failure(0, code), failure(1, "_PURGE_QUEUE")]);
      await producer.flush(signal);
      const settled = producer.takeSettled();
      assert.deepEqual(
        settled.map(({ batch, failures }) => [batch, failures.map(({ index, code: why }) => [index, why])]).toSorted(),
        [
          [1, [[1, "TOPIC_AUTHORIZATION_FAILED"]]],
          [2, []],
        ],
      );
      const again = opened.slice(1).flatMap((one) => valuesOf(one.producer));
      assert.deepEqual(again, ["fine", "behind", "late", "later"]);
      await producer.close();
    });
  }

  it("skips nothing when the client has ended for a reason of its own", async () => {
    const fake = createFakeProducer();
    const producer = createSplittingProducer({
      open: () => fake,
      reportPositions: false,
      stopOnFailure: false,
      maxRecordBytes: 1_000_000,
    });
    await producer.send([record("a"), record("b")], signal);
    fake.settle(1, [failure(0, "UNKNOWN_PRODUCER_ID"), failure(1, "UNKNOWN_PRODUCER_ID")]);
    await producer.flush(signal);
    await producer.settled(signal);
    assert.deepEqual(
      producer.takeSettled().map(({ batch, failures }) => [batch, failures.map(({ code }) => code)]),
      [[1, ["_PURGE_QUEUE", "_PURGE_QUEUE"]]],
    );
    await producer.close();
  });

  it("tells whoever waits of a batch that has nothing to send, though no other batch comes", async () => {
    const fake = createFakeProducer();
    const producer = createSplittingProducer({
      open: () => fake,
      reportPositions: false,
      stopOnFailure: false,
      maxRecordBytes: 4,
    });
    for (const batch of [1, 2]) {
      const waiting = producer.settled(signal);
      await producer.send([record("large"), record("larger")], signal);
      await waiting;
      assert.deepEqual(
        producer.takeSettled().map(({ batch: number, failures }) => [number, failures.map(({ code }) => code)]),
        [[batch, ["MSG_SIZE_TOO_LARGE", "MSG_SIZE_TOO_LARGE"]]],
      );
    }
    assert.deepEqual(fake.batches, []);
    // Woken for what somebody else has taken, it waits on, and is told of what the producer decides.
    const waiting = producer.settled(signal);
    await producer.send([record("large")], signal);
    producer.takeSettled();
    await producer.send([record("fine")], signal);
    fake.settle(1);
    await waiting;
    assert.deepEqual(
      producer.takeSettled().map(({ batch }) => batch),
      [4],
    );
    await producer.close();
  });

  it("says why a record cannot be encoded, and not what became of those behind it", async () => {
    const fake = createFakeProducer();
    const send = async (records: readonly OutboundRecord[], limit: AbortSignal): Promise<number> => {
      await fake.send(records, limit);
      fake.settle(1, [failure(0, "_PURGE_QUEUE")]);
      throw new RangeError("a record for t has partition -1");
    };
    const producer = createSplittingProducer({
      open: () => ({ ...fake, send }),
      reportPositions: false,
      stopOnFailure: true,
      maxRecordBytes: 1_000_000,
    });
    await assert.rejects(producer.send([record("a")], signal), /has partition -1/);
    await producer.close();
  });
});
