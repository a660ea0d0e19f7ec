import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { LocalKafka } from "#dev/kafka.ts";
import { ownKafka, uniqueName } from "#support/kafka.ts";
import {
  committed,
  copyRecords,
  createTopic,
  expectEvent,
  nextEvent,
  openConsumer,
  openProducer,
  readTopic,
  record,
  textOf,
} from "../native/clients.ts";

/** The time that the broker is away, in each way of being away. */
const AWAY_MS = 20_000;

describe("a broker that is away for 20 seconds", { timeout: 600_000 }, () => {
  let kafka: LocalKafka;
  const signal = AbortSignal.timeout(600_000);
  before(async () => {
    kafka = await ownKafka({ heap: "512m" });
  });
  after(() => kafka.stop());

  /** Sends numbered batches while `away` happens, and until ten more have been sent after it; resolves with their number. */
  const sendAround = async (topic: string, away: () => Promise<void>) => {
    // A request is given up after 6 s and repeated, so that acknowledged records are sent again.
    const config = { "socket.timeout.ms": "6000", "reconnect.backoff.max.ms": "500" };
    const producer = openProducer(kafka.bootstrap, { config, stopOnFailure: true });
    const first = Array.from({ length: 10 }, (_, i) => record(topic, `${i}`));
    await producer.send(first, signal);
    await producer.flush(signal);
    let sent = 10;
    let back = false;
    const gone = away().then(() => {
      back = true;
    });
    for (let more = 10; more > 0; ) {
      const records = Array.from({ length: 50 }, (_, i) => record(topic, `${sent + i}`));
      await producer.send(records, signal);
      sent += 50;
      if (back) more--;
      else await sleep(20, undefined, { signal }); // Paces the load; nothing is waited for.
    }
    await gone;
    await producer.flush(signal);
    assert.deepEqual(
      producer.takeSettled().flatMap(({ failures }) => failures),
      [],
    );
    await producer.close();
    return sent;
  };

  const expected = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

  it("loses, repeats and reorders nothing when it was frozen", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const consumer = openConsumer(kafka.bootstrap, topic, {
      config: { "group.id": uniqueName("away"), "session.timeout.ms": "45000" },
    });
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    const count = await sendAround(topic, async () => {
      kafka.process.signal("SIGSTOP");
      await sleep(AWAY_MS, undefined, { signal });
      kafka.process.signal("SIGCONT");
    });
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), expected(count));
    // The consumer that was there all the time has them, too.
    const seen: (string | null)[] = [];
    while (seen.length < count) {
      const event = await nextEvent(consumer, signal);
      if (event.kind === "batch") seen.push(...textOf(copyRecords(event.batch)));
      else if (event.kind !== "idle") consumer.acknowledge();
    }
    assert.deepEqual(seen, expected(count));
    await consumer.close(signal);
  });

  it("loses, repeats and reorders nothing when it was killed and started again; commits go on", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const group = uniqueName("away");
    const consumer = openConsumer(kafka.bootstrap, topic, {
      config: { "group.id": group, "session.timeout.ms": "45000" },
    });
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    const count = await sendAround(topic, async () => {
      await kafka.kill();
      await sleep(AWAY_MS, undefined, { signal });
      kafka = await kafka.restart();
    });
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), expected(count));
    let position = 0n;
    while (position < BigInt(count)) {
      const event = await nextEvent(consumer, signal);
      if (event.kind === "batch") position = (event.batch.offsets.at(-1) ?? -1n) + 1n;
      else if (event.kind !== "idle") consumer.acknowledge();
    }
    await consumer.commit([{ topic, partition: 0, offset: position }], signal);
    assert.equal(await committed(kafka.bootstrap, group, topic), count);
    await consumer.close(signal);
  });

  it("does not hold up a close", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const consumer = openConsumer(kafka.bootstrap, topic);
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    const producer = openProducer(kafka.bootstrap);
    await producer.send([record(topic, "a")], signal);
    await producer.flush(signal);
    kafka.process.signal("SIGSTOP");
    await producer.send([record(topic, "b")], signal);
    const began = performance.now();
    await producer.close();
    assert.equal(producer.takeSettled().at(-1)?.failures.length, 1);
    await consumer.close(AbortSignal.timeout(2000)).catch(() => {});
    assert.ok(performance.now() - began < 60_000, `${performance.now() - began} ms`);
    kafka.process.signal("SIGCONT");
  });
});
