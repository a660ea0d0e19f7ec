import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Partition, RecordConsumer } from "#runtime/kafka/record-consumer.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import {
  committed,
  copyRecords,
  createTopic,
  expectEvent,
  nextEvent,
  openConsumer,
  openProducer,
  type ReadRecord,
  record,
} from "./clients.ts";

describe("a consumer group", { timeout: 580_000 }, () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  const signal = AbortSignal.timeout(580_000);
  before(async () => {
    kafka = await sharedKafka();
  });
  after(() => kafka.stop());

  const fill = async (topic: string, count: number, partitions = 1, from = 0) => {
    const producer = openProducer(kafka.bootstrap);
    const records = Array.from({ length: count * partitions }, (_, i) =>
      record(topic, `${from + Math.floor(i / partitions)}`, { partition: i % partitions }),
    );
    await producer.send(records, signal);
    await producer.flush(signal);
    await producer.close();
  };

  const read = async (consumer: RecordConsumer, count: number) => {
    const records: ReadRecord[] = [];
    while (records.length < count) {
      const event = await nextEvent(consumer, signal);
      if (event.kind === "batch") records.push(...copyRecords(event.batch));
      else assert.fail(`unexpected ${event.kind}`);
    }
    return records;
  };

  const values = (records: readonly ReadRecord[]) => records.map(({ value }) => Number(value));
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

  it("starts where the group has committed, and commits for the next one", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const config = { "group.id": uniqueName("group") };
    await fill(topic, 10);

    const first = openConsumer(kafka.bootstrap, topic, { config });
    assert.equal(first.memberId(), "");
    const assigned = await expectEvent(first, "assigned", signal);
    assert.deepEqual(assigned.partitions, [{ topic, partition: 0, offset: null }]);
    assert.notEqual(first.memberId(), "");
    first.acknowledge();
    assert.deepEqual(values(await read(first, 10)), numbers(0, 10));
    await first.commit([{ topic, partition: 0, offset: 4n }], signal);
    assert.equal(await committed(kafka.bootstrap, config["group.id"], topic), 4);
    await first.commit([], signal);
    await first.close(signal);

    const second = openConsumer(kafka.bootstrap, topic, { config });
    const again = await expectEvent(second, "assigned", signal);
    assert.deepEqual(again.partitions, [{ topic, partition: 0, offset: 4n }]);
    second.acknowledge();
    assert.deepEqual(values(await read(second, 6)), numbers(4, 10));
    await second.close(signal);
    assert.equal(await committed(kafka.bootstrap, config["group.id"], topic), 4);
  });

  it("starts at another position if the assignment is acknowledged with one, or was sought before", async () => {
    const topic = await createTopic(kafka.bootstrap, { partitions: 2 });
    await fill(topic, 10, 2);
    const consumer = openConsumer(kafka.bootstrap, topic);
    await expectEvent(consumer, "assigned", signal);
    await consumer.seek({ topic, partition: 1, offset: 8n }, signal);
    consumer.acknowledge([{ topic, partition: 0, offset: 7n }]);
    const records = await read(consumer, 5);
    const of = (partition: number) => values(records.filter((one) => one.partition === partition));
    assert.deepEqual(of(0), [7, 8, 9]);
    assert.deepEqual(of(1), [8, 9]);
    await consumer.close(signal);
  });

  it("says idle when nothing comes, and gives way to an abort", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const consumer = openConsumer(kafka.bootstrap, topic);
    await expectEvent(consumer, "assigned", signal);
    await assert.rejects(consumer.next(0, signal), /acknowledged/);
    consumer.acknowledge();
    assert.deepEqual(await consumer.next(50, signal), { kind: "idle" });
    assert.deepEqual(await consumer.next(0, signal), { kind: "idle" });
    const abort = new AbortController();
    const waiting = consumer.next(60_000, abort.signal);
    await assert.rejects(consumer.next(1, signal), /another next/);
    abort.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    await fill(topic, 1);
    assert.deepEqual(values(await read(consumer, 1)), [0]);
    await consumer.close(signal);
    await assert.rejects(consumer.next(1, signal), /closed/);
    await assert.rejects(consumer.commit([{ topic, partition: 0, offset: 1n }], signal), /closed/);
    await consumer.close(signal);
  });

  it("bounds a batch by records and bytes", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = openProducer(kafka.bootstrap);
    await producer.send(
      Array.from({ length: 200 }, () => record(topic, Buffer.alloc(1000))),
      signal,
    );
    await producer.flush(signal);
    await producer.close();
    for (const [limits, most] of [
      [{ maxRecords: 7, maxBytes: 1 << 20 }, 7],
      [{ maxRecords: 500, maxBytes: 10_000 }, 10],
      [{ maxRecords: 500, maxBytes: 1 }, 1],
    ] as const) {
      const consumer = openConsumer(kafka.bootstrap, topic, limits);
      await expectEvent(consumer, "assigned", signal);
      consumer.acknowledge();
      const offsets: number[] = [];
      while (offsets.length < 200) {
        const { batch } = await expectEvent(consumer, "batch", signal);
        assert.ok(batch.count <= most, `${batch.count} > ${most}`);
        offsets.push(...copyRecords(batch).map(({ offset }) => offset));
      }
      assert.deepEqual(offsets, numbers(0, 200));
      await consumer.close(signal);
    }
  });

  it("drops what was fetched ahead of a seek", async () => {
    const topic = await createTopic(kafka.bootstrap);
    await fill(topic, 1000);
    const consumer = openConsumer(kafka.bootstrap, topic, { maxRecords: 100 });
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    for (const target of [500n, 100n, 0n]) {
      await expectEvent(consumer, "batch", signal);
      await consumer.seek({ topic, partition: 0, offset: target }, signal);
      const { batch } = await expectEvent(consumer, "batch", signal);
      assert.equal(batch.offsets[0], target);
    }
    await consumer.seek({ topic, partition: 0, offset: 200n }, signal);
    assert.deepEqual(values(await read(consumer, 800)), numbers(200, 1000));
    await consumer.seek({ topic, partition: 0, offset: 999n }, signal);
    assert.deepEqual(values(await read(consumer, 1)), [999]);
    await assert.rejects(consumer.seek({ topic: "other", partition: 0, offset: 0n }, signal), /cannot seek other-0/);
    await consumer.close(signal);
  });

  it("delivers nothing of a paused partition, and everything after it is resumed", async () => {
    const topic = await createTopic(kafka.bootstrap, { partitions: 2 });
    await fill(topic, 2000, 2);
    const consumer = openConsumer(kafka.bootstrap, topic, { maxRecords: 50 });
    const { partitions } = await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    const seen: [number, number] = [0, 0];
    const take = (records: readonly ReadRecord[]) => {
      for (const { partition, offset } of records) {
        const of = partition === 0 ? 0 : 1;
        assert.equal(offset, seen[of], "in order, none lost, none twice");
        seen[of] = offset + 1;
      }
    };
    const one: Partition[] = [{ topic, partition: 0 }];
    while (seen[0] + seen[1] < 4000) {
      take(copyRecords((await expectEvent(consumer, "batch", signal)).batch));
      consumer.pause(partitions);
      assert.deepEqual(await consumer.next(20, signal), { kind: "idle" });
      consumer.resume(partitions);
      consumer.pause(one);
      consumer.pause(one);
      const before = seen[0];
      if (seen[1] < 2000) take(copyRecords((await expectEvent(consumer, "batch", signal)).batch));
      assert.equal(seen[0], before);
      consumer.resume(one);
      for (let i = 0; i < 8 && seen[0] + seen[1] < 4000; i++) {
        take(copyRecords((await expectEvent(consumer, "batch", signal)).batch));
      }
    }
    await consumer.close(signal);
  });

  for (const strategy of ["range", "cooperative-sticky"]) {
    it(`hands partitions over between two members (${strategy})`, async () => {
      const topic = await createTopic(kafka.bootstrap, { partitions: 4 });
      const config = { "group.id": uniqueName("group"), "partition.assignment.strategy": strategy };
      const count = 3000;
      await fill(topic, count, 4);
      const member = () => new Member(openConsumer(kafka.bootstrap, topic, { config, maxRecords: 20 }), signal);

      const one = member();
      await eventually("the first member reads", () => one.delivered.length >= 200);
      const two = member();
      await eventually("both own two partitions", () => one.owned.size === 2 && two.owned.size === 2);
      await fill(topic, count, 4);
      await eventually("the second member reads", () => two.delivered.length >= 200);
      await one.stop();
      await eventually("the second member owns all", () => two.owned.size === 4);
      await eventually("all is read", () => new Set([...one.delivered, ...two.delivered]).size === 8 * count);
      await two.stop();

      assert.deepEqual([...one.violations, ...two.violations], []);
      // Each commits what it has before it gives a partition away, so nothing is read twice.
      assert.equal(one.delivered.length + two.delivered.length, 8 * count);
      assert.ok(one.revocations > 0);
    });
  }

  it("forgets pauses with the assignment", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const config = { "group.id": uniqueName("group") };
    const consumer = openConsumer(kafka.bootstrap, topic, { config });
    const { partitions } = await expectEvent(consumer, "assigned", signal);
    consumer.pause(partitions);
    consumer.acknowledge();
    await fill(topic, 10);
    assert.deepEqual(await consumer.next(500, signal), { kind: "idle" });
    const other = openConsumer(kafka.bootstrap, topic, { config });
    await expectEvent(consumer, "revoked", signal);
    consumer.resume(partitions);
    consumer.pause(partitions);
    consumer.acknowledge();
    // The one partition goes to one of the two, which then leaves; in the end it is the first one's, without a pause.
    const drain = async () => {
      for (;;) {
        const event = await other.next(50, signal);
        if (event.kind === "assigned" || event.kind === "revoked") other.acknowledge();
        if (event.kind === "assigned") return;
      }
    };
    const [, assigned] = await Promise.all([drain(), expectEvent(consumer, "assigned", signal)]);
    consumer.acknowledge();
    const seen: ReadRecord[] = [];
    if (assigned.partitions.length === 0) {
      const closing = other.close(signal);
      while (seen.length < 10) {
        const event = await nextEvent(consumer, signal);
        if (event.kind === "batch") seen.push(...copyRecords(event.batch));
        else if (event.kind !== "idle") consumer.acknowledge();
      }
      await closing;
    } else {
      seen.push(...(await read(consumer, 10)));
      await other.close(signal);
    }
    assert.deepEqual(values(seen), numbers(0, 10));
    await consumer.close(signal);
  });

  it("keeps the membership while JavaScript is busy", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const config = { "session.timeout.ms": "10000", "heartbeat.interval.ms": "500", "max.poll.interval.ms": "120000" };
    const consumer = openConsumer(kafka.bootstrap, topic, { config });
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    assert.deepEqual(await consumer.next(10, signal), { kind: "idle" });
    const member = consumer.memberId();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 12_000);
    await fill(topic, 1);
    assert.deepEqual(values(await read(consumer, 1)), [0]);
    await consumer.commit([{ topic, partition: 0, offset: 1n }], signal);
    assert.equal(consumer.memberId(), member);
    await consumer.close(signal);
  });

  it("gives the partitions away, as lost, when next is not called for max.poll.interval.ms", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const config = { "session.timeout.ms": "9000", "max.poll.interval.ms": "9000" };
    const consumer = openConsumer(kafka.bootstrap, topic, { config });
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    assert.deepEqual(await consumer.next(10, signal), { kind: "idle" });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 12_000);
    const revoked = await expectEvent(consumer, "revoked", signal);
    assert.deepEqual(revoked, { kind: "revoked", partitions: [{ topic, partition: 0 }], lost: true });
    await assert.rejects(consumer.commit([{ topic, partition: 0, offset: 1n }], signal), /cannot commit: /);
    consumer.acknowledge();
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    await consumer.close(signal);
  });

  it("delivers the last revoked event to a pending next, and leaves after its acknowledgement", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const config = { "group.id": uniqueName("group") };
    await fill(topic, 5);
    const consumer = openConsumer(kafka.bootstrap, topic, { config });
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    await read(consumer, 5);
    const pending = consumer.next(60_000, signal);
    const closing = consumer.close(signal);
    const event = await pending;
    assert.deepEqual(event, { kind: "revoked", partitions: [{ topic, partition: 0 }], lost: false });
    await consumer.commit([{ topic, partition: 0, offset: 5n }], signal);
    consumer.acknowledge();
    await closing;
    assert.equal(await committed(kafka.bootstrap, config["group.id"], topic), 5);
  });

  it("closes at once while an event is open, and frees itself when the close is aborted", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const open = openConsumer(kafka.bootstrap, topic);
    await expectEvent(open, "assigned", signal);
    await open.close(signal);
    open.acknowledge();

    const aborted = openConsumer(kafka.bootstrap, topic);
    await expectEvent(aborted, "assigned", signal);
    aborted.acknowledge();
    await assert.rejects(aborted.close(AbortSignal.abort(new Error("no time"))), /no time/);
    await assert.rejects(aborted.next(1, signal), /closed/);

    await openConsumer(kafka.bootstrap, topic).close(signal);
  });

  it("subscribes by a Java pattern, to topics that come later, too, and not to Kafka's own", async () => {
    const prefix = uniqueName("pattern");
    const make = async (name: string) => {
      const producer = openProducer(kafka.bootstrap);
      await producer.send([record(name, "0")], signal);
      await producer.flush(signal);
      await producer.close();
    };
    await make(`${prefix}.1`);
    await make(`${prefix}.x`);
    const consumer = openConsumer(kafka.bootstrap, "", {
      subscription: { regex: `(?:${prefix}\\.\\d+|__consumer_offsets)` },
      config: { "topic.metadata.refresh.interval.ms": "300" },
    });
    const topics = new Set<string>();
    const collect = async (size: number) => {
      while (topics.size < size) {
        const event = await nextEvent(consumer, signal);
        if (event.kind === "batch")
          for (const index of event.batch.topicIndex) topics.add(event.batch.topics[index] ?? "");
        else if (event.kind !== "idle") consumer.acknowledge();
      }
    };
    await collect(1);
    await make(`${prefix}.23`);
    await collect(2);
    assert.deepEqual(topics, new Set([`${prefix}.1`, `${prefix}.23`]));
    await consumer.close(signal);
  });

  it("rejects next when there is no position and none may be chosen", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const consumer = openConsumer(kafka.bootstrap, topic, { config: { "auto.offset.reset": "error" } });
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    await assert.rejects(nextEvent(consumer, signal), /_AUTO_OFFSET_RESET/);
    await consumer.close(signal);
  });
});

/** A member that reads, and commits what it has read before it gives partitions away. */
class Member {
  readonly delivered: string[] = [];
  readonly owned = new Set<number>();
  readonly violations: string[] = [];
  revocations = 0;
  readonly #consumer: RecordConsumer;
  readonly #positions = new Map<number, bigint>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #deadline: AbortSignal;
  #topic = "";

  constructor(consumer: RecordConsumer, deadline: AbortSignal) {
    this.#consumer = consumer;
    this.#deadline = deadline;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#deadline]);
    while (!signal.aborted) {
      const event = await this.#consumer.next(100, this.#deadline);
      switch (event.kind) {
        case "batch":
          this.#topic = event.batch.topics[0] ?? "";
          for (const { partition, offset } of copyRecords(event.batch)) {
            if (!this.owned.has(partition)) this.violations.push(`${partition}/${offset} after the revocation`);
            this.delivered.push(`${partition}/${offset}`);
            this.#positions.set(partition, BigInt(offset + 1));
          }
          break;
        case "assigned":
          for (const { partition } of event.partitions) this.owned.add(partition);
          this.#consumer.acknowledge();
          break;
        case "revoked":
          this.revocations++;
          if (!event.lost) await this.#commit(event.partitions.map(({ partition }) => partition));
          for (const { partition } of event.partitions) {
            this.owned.delete(partition);
            this.#positions.delete(partition);
          }
          this.#consumer.acknowledge();
          break;
        case "idle":
          break;
        default:
          throw new Error(`unreachable: ${event satisfies never}`);
      }
    }
    await this.#commit([...this.owned]);
    await this.#consumer.close(this.#deadline);
  }

  async #commit(partitions: readonly number[]): Promise<void> {
    const offsets = partitions.flatMap((partition) => {
      const offset = this.#positions.get(partition);
      return offset === undefined ? [] : [{ topic: this.#topic, partition, offset }];
    });
    await this.#consumer.commit(offsets, this.#deadline);
  }
}
