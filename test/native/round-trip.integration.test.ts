import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Utf8Text } from "@headrace/sdk";
import type { OutboundRecord } from "#runtime/kafka/record-producer.ts";
import { sharedKafka } from "#support/kafka.ts";
import { createTopic, openProducer, readTopic, record, settledBatches, textOf } from "./clients.ts";

describe("records through Kafka and back", { timeout: 280_000 }, () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  const signal = AbortSignal.timeout(280_000);
  before(async () => {
    kafka = await sharedKafka();
  });
  after(() => kafka.stop());

  it("keeps keys, values and headers byte for byte, null apart from empty", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = openProducer(kafka.bootstrap);
    const binary = Buffer.from([0xff, 0x00, 0xfe, 0x80]);
    const lines = Buffer.from("one\n馬\n\n");
    const line = (start: number, end: number) => new Utf8Text(null, lines, start, end);
    const sent = [
      record(topic, line(0, 3)),
      record(topic, line(4, 7)),
      record(topic, line(8, 8)),
      record(topic, line(4, 7), { key: "of a line" }),
      record(topic, "value", { key: "key" }),
      record(topic, null, { key: "tombstone" }),
      record(topic, "", { key: "" }),
      record(topic, Buffer.alloc(0), { key: Buffer.alloc(0) }),
      record(topic, binary, { key: binary }),
      record(topic, "žluťoučký kůň 馬 🐎", { key: "ключ" }),
      record(topic, null),
      record(topic, "with headers", {
        headers: [
          { key: "text", value: "über" },
          { key: "binary", value: binary },
          { key: "null", value: null },
          { key: "empty", value: "" },
          { key: "", value: "no name" },
          { key: "text", value: "again" },
        ],
      }),
      record(topic, "empty headers", { headers: [] }),
    ];
    assert.equal(await producer.send(sent, signal), 1);
    const [batch] = await settledBatches(producer, 1, signal);
    assert.deepEqual(batch, { batch: 1, failures: [], positions: null });
    await producer.close();

    const bytes = (value: OutboundRecord["value"] | undefined) =>
      value instanceof Utf8Text ? Buffer.from(value.value) : typeof value === "string" ? Buffer.from(value) : value;
    const read = await readTopic(kafka.bootstrap, topic, signal);
    assert.deepEqual(
      read.map(({ key, value, headers }) => ({ key, value, headers })),
      sent.map(({ key, value, headers }) => ({
        key: bytes(key) ?? null,
        value: bytes(value),
        headers: headers?.length ? headers.map((header) => ({ key: header.key, value: bytes(header.value) })) : null,
      })),
    );
  });

  it("keeps timestamps, and sets those that are not given", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = openProducer(kafka.bootstrap);
    const begin = Date.now();
    await producer.send([record(topic, "a", { timestamp: 1_234_567_890_123 }), record(topic, "b")], signal);
    await producer.flush(signal);
    await producer.close();
    const [given, now] = await readTopic(kafka.bootstrap, topic, signal);
    assert.equal(given?.timestamp, 1_234_567_890_123);
    assert.ok(now !== undefined && now.timestamp >= begin - 1 && now.timestamp <= Date.now() + 1);
  });

  for (const known of [false, true]) {
    const when = known ? "that is known" : "that the producer has not seen yet";
    it(`places records of a topic ${when} by partition, else by the key's murmur2 hash, and reports where they went`, () =>
      placesRecords(known));
  }

  async function placesRecords(known: boolean): Promise<void> {
    // Hashes of org.apache.kafka.common.utils.UtilsTest.testMurmur2.
    const hashes: readonly (readonly [string, number])[] = [
      ["21", -973932308],
      ["foobar", -790332482],
      ["a-little-bit-long-string", -985981536],
      ["a-little-bit-longer-string", -1486304829],
      ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
      ["abc", 479470107],
    ];
    const partitions = 7;
    const topic = await createTopic(kafka.bootstrap, { partitions });
    const producer = openProducer(kafka.bootstrap, { reportPositions: true });
    const byKey = hashes.map(([key]) => record(topic, key, { key }));
    const byNumber = Array.from({ length: partitions }, (_, partition) =>
      record(topic, `p${partition}`, { partition }),
    );
    if (known) {
      await producer.send([record(topic, "first")], signal);
      await settledBatches(producer, 1, signal);
    }
    await producer.send([...byKey, ...byNumber], signal);
    const [batch] = await settledBatches(producer, 1, signal);
    await producer.close();
    const expected = [...hashes.map(([, hash]) => (hash & 0x7fffffff) % partitions), ...byNumber.map((_, i) => i)];
    assert.deepEqual(Array.from(batch?.positions?.partitions ?? []), expected);
    const read = await readTopic(kafka.bootstrap, topic, signal);
    const values = [...hashes.map(([key]) => key), ...byNumber.map((_, i) => `p${i}`)];
    for (const [index, value] of values.entries()) {
      const found = read.find((candidate) => candidate.value?.toString() === value);
      assert.equal(found?.partition, expected[index]);
      assert.equal(found?.offset, Number(batch?.positions?.offsets[index]));
    }
  }

  it("keeps the order within each of several partitions, however keys follow each other, and settles each record", async () => {
    const partitions = 3;
    const topic = await createTopic(kafka.bootstrap, { partitions });
    const producer = openProducer(kafka.bootstrap, { reportPositions: true });
    await producer.send([record(topic, "first", { key: "k0" })], signal);
    await settledBatches(producer, 1, signal);
    const count = 20_000;
    const keyOf = (index: number) => (index % 11 < 3 ? null : `k${(index * 7) % 13}`);
    const records = Array.from({ length: count }, (_, index) => record(topic, `${index}`, { key: keyOf(index) }));
    for (let from = 0; from < count; from += 1_500) await producer.send(records.slice(from, from + 1_500), signal);
    const batches = await settledBatches(producer, Math.ceil(count / 1_500), signal);
    await producer.close();
    assert.deepEqual(
      batches.flatMap(({ failures }) => failures),
      [],
    );
    const read = (await readTopic(kafka.bootstrap, topic, signal)).filter(({ value }) => value?.toString() !== "first");
    const numbers = read.map(({ value }) => Number(value));
    assert.deepEqual(
      numbers.toSorted((left, right) => left - right),
      records.map((_, index) => index),
    );
    const positions = batches
      .toSorted((left, right) => left.batch - right.batch)
      .flatMap(({ positions: at }) => {
        return Array.from(at?.partitions ?? [], (partition, index) => `${partition}:${at?.offsets[index]}`);
      });
    for (const { partition, offset, value } of read) assert.equal(positions[Number(value)], `${partition}:${offset}`);
    for (let partition = 0; partition < partitions; partition += 1) {
      const own = read.filter((each) => each.partition === partition).map(({ value }) => Number(value));
      assert.ok(own.length > 0);
      assert.ok(own.every((number, index) => index === 0 || number > (own[index - 1] ?? 0)));
    }
  });

  it("keeps the order of many batches of many sizes, text and binary mixed", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const producer = openProducer(kafka.bootstrap);
    const sizes = [0, 1, 3000, 5, 2049, 1];
    let sequence = 0;
    for (const size of sizes) {
      const records = Array.from({ length: size }, () => {
        const text = `${sequence++}`;
        const kind = sequence % 5;
        if (kind === 0) return record(topic, Buffer.from(text));
        return record(
          topic,
          text,
          kind === 1 ? { headers: [{ key: "n", value: text }] } : { key: kind === 2 ? "ö" : null },
        );
      });
      await producer.send(records, signal);
    }
    const batches = await settledBatches(producer, sizes.length, signal);
    assert.deepEqual(batches.map(({ batch }) => batch).sort(), [1, 2, 3, 4, 5, 6]);
    assert.equal(producer.outstanding(), 0);
    await producer.close();
    const read = await readTopic(kafka.bootstrap, topic, signal);
    assert.deepEqual(
      textOf(read),
      Array.from({ length: sequence }, (_, i) => `${i}`),
    );
  });

  it("carries records larger than its buffers", async () => {
    const topic = await createTopic(kafka.bootstrap, { config: { "max.message.bytes": "20000000" } });
    const producer = openProducer(kafka.bootstrap, { config: { "message.max.bytes": "20000000" } });
    const sizes = [10_000_000, 1, 300_000, 3_000_000];
    await producer.send(
      sizes.map((size, index) => record(topic, Buffer.alloc(size, index + 1))),
      signal,
    );
    await producer.flush(signal);
    await producer.close();
    const read = await readTopic(kafka.bootstrap, topic, signal);
    assert.deepEqual(
      read.map(({ value }) => [value?.length, value?.[0], value?.at(-1)]),
      sizes.map((size, index) => [size, index + 1, index + 1]),
    );
  });
});
