import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { LocalKafka } from "#dev/kafka.ts";
import { ownKafka, uniqueName } from "#support/kafka.ts";
import {
  committed,
  createTopic,
  expectEvent,
  openConsumer,
  openProducer,
  readRecords,
  readTopic,
  record,
  textOf,
} from "../native/clients.ts";

/** The time that the broker is away, in each way of being away. */
const AWAY_MS = 20_000;
/** A request is given up long before that and repeated, so that acknowledged records are sent again. */
const IMPATIENT = { "socket.timeout.ms": "6000", "reconnect.backoff.max.ms": "500" } as const;

/** Run by `asan/` as well, with the sanitizers' build of the addon. */
describe("a broker that is away for 20 seconds", { timeout: 600_000 }, () => {
  let kafka: LocalKafka;
  const signal = AbortSignal.timeout(600_000);
  before(async () => {
    kafka = await ownKafka({ heap: "512m" });
  });
  // Clients that are left open keep the process alive.
  const clients: { close(signal: AbortSignal): Promise<unknown> }[] = [];
  after(async () => {
    await Promise.allSettled(clients.map((client) => client.close(AbortSignal.timeout(10_000))));
    await kafka.stop();
  });

  /** Sends numbered batches while `away` happens, and until ten more have been sent after it; resolves with their number. */
  const sendAround = async (topic: string, away: () => Promise<void>) => {
    const producer = openProducer(kafka.bootstrap, { config: IMPATIENT, stopOnFailure: true });
    clients.push(producer);
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
    return sent;
  };

  const freeze = async () => {
    kafka.process.signal("SIGSTOP");
    await sleep(AWAY_MS, undefined, { signal }).finally(() => kafka.process.signal("SIGCONT"));
  };

  /** A consumer that stays in its group meanwhile: what it has not committed would be read twice after that. */
  const openMember = async (topic: string, group = uniqueName("away")) => {
    const config = { "group.id": group, "session.timeout.ms": "45000" };
    const consumer = openConsumer(kafka.bootstrap, topic, { config });
    clients.push(consumer);
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    return consumer;
  };

  const expected = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

  it("loses, repeats and reorders nothing when it was frozen", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const consumer = await openMember(topic);
    const count = await sendAround(topic, freeze);
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), expected(count));
    // The consumer that was there all the time has them, too.
    assert.deepEqual(textOf(await readRecords(consumer, count, signal)), expected(count));
  });

  it("loses, repeats and reorders nothing when it was killed and started again; commits go on", async () => {
    const topic = await createTopic(kafka.bootstrap);
    const group = uniqueName("away");
    const consumer = await openMember(topic, group);
    const count = await sendAround(topic, async () => {
      await kafka.kill();
      await sleep(AWAY_MS, undefined, { signal });
      kafka = await kafka.restart();
    });
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, topic, signal)), expected(count));
    const read = await readRecords(consumer, count, signal);
    await consumer.commit([{ topic, partition: 0, offset: BigInt(read.at(-1)?.offset ?? -1) + 1n }], signal);
    assert.equal(await committed(kafka.bootstrap, group, topic), count);
  });

  it("times out the messages of one producer; another, that waits, loses and repeats nothing", async () => {
    const COUNT = 500;
    const [hasty, patient] = [await createTopic(kafka.bootstrap), await createTopic(kafka.bootstrap)];
    const consumer = await openMember(patient);
    const giving = openProducer(kafka.bootstrap, { config: { ...IMPATIENT, "message.timeout.ms": "10000" } });
    const waiting = openProducer(kafka.bootstrap, { config: IMPATIENT, stopOnFailure: true });
    clients.push(giving, waiting);
    const failuresOf = (producer: typeof giving) => producer.takeSettled().flatMap(({ failures }) => failures);
    for (const [producer, topic] of [
      [giving, hasty],
      [waiting, patient],
    ] as const) {
      await producer.send([record(topic, "0")], signal);
      await producer.flush(signal);
      assert.deepEqual(failuresOf(producer), []);
    }
    const numbered = (topic: string) => Array.from({ length: COUNT }, (_, index) => record(topic, `${index + 1}`));

    const back = freeze();
    await giving.send(numbered(hasty), signal);
    await waiting.send(numbered(patient), signal);
    await giving.flush(signal);
    const failures = failuresOf(giving);
    assert.equal(failures.length, COUNT, "each message is reported once");
    assert.deepEqual([...new Set(failures.map(({ code }) => code))], ["_MSG_TIMED_OUT"]);
    await back;

    await waiting.flush(signal);
    assert.deepEqual(failuresOf(waiting), []);
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, patient, signal)), expected(COUNT + 1));
    assert.deepEqual(textOf(await readRecords(consumer, COUNT + 1, signal)), expected(COUNT + 1));
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
